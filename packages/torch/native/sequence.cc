#include "sequence.h"

#include <ATen/ATen.h>

#include <utility>

#include "boundary.h"
#include "hub.h"

namespace shallows {

Sequence::Sequence(const std::shared_ptr<Hub>& hub, c10d::Backend* backend, bool compares)
    : hub_(hub), compares_(compares), backend_(backend) {}

void Sequence::add(Operation operation) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (backend_ == nullptr) return;
  if (!compares_) {
    start(operation, *backend_);
    return;
  }
  waiting_.push_back(std::move(operation));
  if (waiting_.size() == 1) compareNext(std::move(lock));
}

void Sequence::close() {
  std::deque<Operation> left;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    backend_ = nullptr;
    left.swap(waiting_);
  }
  for (const auto& each : left) each.pending->fail("expected operations to end before their group is closed - wait for them");
}

void Sequence::compareNext(std::unique_lock<std::mutex> lock) {
  const int64_t signature = waiting_.front().signature;
  const at::Tensor signatures = at::tensor({signature, ~signature}, at::kLong);
  std::vector<at::Tensor> one{signatures};
  c10d::AllreduceOptions options;
  options.reduceOp = c10d::ReduceOp::MAX;
  const auto work = backend_->allreduce(one, options);
  // It may be over already, and then goes on from here.
  lock.unlock();
  whenOver(work, [self = shared_from_this(), signatures](const std::string* error) {
    if (error == nullptr) {
      self->compared(signatures);
    } else if (const auto hub = self->hub_.lock()) {
      hub->trouble(*error);
    }
  });
}

// The largest signature and the complement of the smallest.
void Sequence::compared(const at::Tensor& signatures) {
  const int64_t* values = signatures.const_data_ptr<int64_t>();
  const bool same = values[0] == ~values[1];
  std::unique_lock<std::mutex> lock(mutex_);
  if (backend_ == nullptr || waiting_.empty()) return;
  Operation operation = std::move(waiting_.front());
  waiting_.pop_front();
  if (same) start(operation, *backend_);
  else operation.pending->fail(operation.mismatch);
  if (!waiting_.empty()) compareNext(std::move(lock));
}

void Sequence::start(Operation& operation, c10d::Backend& backend) {
  try {
    operation.pending->begin(operation.start(backend));
  } catch (...) {
    operation.pending->fail(messageOf(std::current_exception()));
  }
}

}  // namespace shallows
