// The operations of one group, in their order.
#pragma once

#include <torch/csrc/distributed/c10d/Backend.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "pending.h"

namespace shallows {

// Gloo ends the process where ranks send tensors of different sizes to each other. So before an operation starts, ranks
// compare what they are about to do, by an operation that always has one size. One that differs fails, on all ranks alike,
// and the next goes on.
class Sequence : public std::enable_shared_from_this<Sequence> {
 public:
  struct Operation {
    std::shared_ptr<Pending> pending;
    int64_t signature;     // equal on all ranks for what is the same
    std::string mismatch;  // what to say where it is not
    std::function<Pending::Works(c10d::Backend&)> start;
  };

  // `compares`: for backends that need none, operations start at once.
  Sequence(const std::shared_ptr<Hub>& hub, c10d::Backend* backend, bool compares);
  void add(Operation operation);
  // Nothing starts from now on: the backend may go.
  void close();

 private:
  void compareNext(std::unique_lock<std::mutex> lock);
  void compared(const at::Tensor& signatures);
  static void start(Operation& operation, c10d::Backend& backend);

  const std::weak_ptr<Hub> hub_;
  const bool compares_;
  std::mutex mutex_;
  c10d::Backend* backend_;
  std::deque<Operation> waiting_;  // the first is being compared
};

}  // namespace shallows
