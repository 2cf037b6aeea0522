// One rank among others: where they meet, and who is at fault when one of them is gone.
#pragma once

#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "pending.h"
#include "pulse.h"

namespace shallows {

struct HubOptions {
  int rank;
  int size;
  std::string host;
  uint16_t port;
  bool outside;  // the store is held by another process than rank 0
  std::chrono::milliseconds timeout;
  std::string address;  // of this machine, for the others; empty: the system's choice
  std::string prefix;   // of every key: tells apart jobs that share a store
};

class Hub {
 public:
  using Clock = std::chrono::steady_clock;

  // Blocks until all ranks are here. Throws what is missing.
  static std::shared_ptr<Hub> connect(const HubOptions& options);
  ~Hub();

  const HubOptions& options() const { return options_; }
  // How long an operation may take: what is left of the timeout serves to find out who is missing.
  std::chrono::milliseconds patience() const { return options_.timeout - 2 * silence_ - interval_; }
  // A store of keys of its own, over a connection of its own.
  c10::intrusive_ptr<c10d::Store> storeFor(const std::string& name) const;

  // Counts an operation that starts; throws where the ranks are no longer together.
  void starting();
  void watch(const std::shared_ptr<Pending>& pending);
  // An operation failed: finds out why, then fails all of them. From any thread, returns at once.
  void trouble(const std::string& error);
  bool isSound() const;
  // Tells all ranks that this one gives up. Blocks until they can know.
  void abort(const std::string& reason);
  // Says goodbye. The rank that holds the store waits for the others, but not for long.
  void close();

 private:
  explicit Hub(const HubOptions& options);
  bool serves() const { return options_.rank == 0 && !options_.outside; }
  void meet();
  void requireAll(const std::string& place);
  c10::intrusive_ptr<c10d::TCPStore> client(std::chrono::milliseconds timeout) const;

  void watchOver();
  bool hasOverdue() const;
  std::string causeOfTrouble(const Pulse::View& view) const;
  void fail(const std::string& cause);

  const HubOptions options_;
  const std::chrono::milliseconds interval_;
  // After which a rank is gone, once an operation failed: a few turns of its thread, and more than a busy machine's pauses.
  const std::chrono::milliseconds silence_;
  c10::intrusive_ptr<c10d::TCPStore> store_;
  std::unique_ptr<Pulse> pulse_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  bool closing_ = false;
  std::string trouble_;
  Clock::time_point troubleAt_{};
  std::string aborted_;
  std::string failure_;
  std::vector<std::weak_ptr<Pending>> pending_;
  std::thread thread_;
};

}  // namespace shallows
