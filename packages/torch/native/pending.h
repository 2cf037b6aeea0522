// Operations that ranks do together, while they are under way.
#pragma once

#include <torch/csrc/distributed/c10d/Work.hpp>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace shallows {

class Hub;

// Several of libtorch's operations seen as one: done when all are. What goes wrong with one is told to the hub, which
// finds out why and then fails all that are under way.
class Pending : public std::enable_shared_from_this<Pending> {
 public:
  using Works = std::vector<c10::intrusive_ptr<c10d::Work>>;

  // `finish` runs once, on the thread that settles. It may hold tensors.
  static std::shared_ptr<Pending> make(const std::shared_ptr<Hub>& hub, std::string what, std::function<void()> finish);

  // Its operations have started. From any thread, once.
  void begin(Works works);
  bool isDone() const;
  // Blocks until it is done, and settles.
  void wait();
  // After it is done, on the thread that uses the result: throws what went wrong, or makes the result ready.
  void settle();
  // Calls once, when it is done or at once, on any thread.
  void whenDone(std::function<void()> listener);
  void fail(const std::string& error);
  // The name of the operation, for messages.
  const std::string& what() const { return what_; }
  bool isOverdue(std::chrono::steady_clock::time_point now) const { return now > deadline_; }

 private:
  Pending(const std::shared_ptr<Hub>& hub, std::string what, std::function<void()> finish);
  void arrived();
  void complete(std::optional<std::string> error);

  const std::weak_ptr<Hub> hub_;
  const std::string what_;
  const std::chrono::steady_clock::time_point deadline_;
  std::function<void()> finish_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Works works_;
  size_t left_ = 0;
  bool done_ = false;
  std::optional<std::string> error_;
  std::vector<std::function<void()>> listeners_;
};

// Calls with the error of an operation that ends, or with null. On the thread that ends it, or at once.
void whenOver(const c10::intrusive_ptr<c10d::Work>& work, std::function<void(const std::string* error)> listener);

}  // namespace shallows
