// What the ranks tell each other beside their tensors, through the store: that they are alive, how far they are, that they
// leave, and what went wrong. A thread of its own does it, as a store that is gone may keep whoever asks it waiting.
#pragma once

#include <torch/csrc/distributed/c10d/Store.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace shallows {

class Pulse {
 public:
  using Clock = std::chrono::steady_clock;

  struct Peer {
    std::string said;
    Clock::time_point changed = Clock::now();
    int64_t started = 0;  // operations
    bool closed = false;
  };

  // What is known of the others; copied, so that nobody is held up.
  struct View {
    std::vector<Peer> peers;
    Clock::time_point answered = Clock::now();  // when the store last did
    bool lost = false;                          // the connection to it broke
    std::string failure;                        // published by any rank
  };

  Pulse(c10::intrusive_ptr<c10d::Store> store, int rank, int size, std::chrono::milliseconds interval);
  // Leaves a thread behind that the store keeps waiting.
  ~Pulse();

  // The key and value by which a rank is there before its thread runs.
  static std::string keyOf(int rank);
  static std::vector<uint8_t> firstBeat();

  View view() const;
  // This process did not run for so long: nobody is to blame for silence in that time.
  void forgive(Clock::duration asleep);
  void started();
  int64_t startedHere() const;
  // Both return once others can know it, or cannot any more.
  void publish(const std::string& failure);
  void sayGoodbye();
  void hurry(bool value);
  // Blocks until something may have changed, at most so long.
  void waitForNews(std::chrono::milliseconds most);

 private:
  struct Board;
  static void run(const std::shared_ptr<Board>& board);
  static void round(Board& board);

  const std::shared_ptr<Board> board_;
  std::thread thread_;
};

}  // namespace shallows
