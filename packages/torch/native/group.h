// The operations that ranks do together.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/distributed/c10d/Backend.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hub.h"
#include "pending.h"
#include "sequence.h"

namespace shallows {

enum class Reduction { kSum, kAverage, kMaximum, kMinimum };

// For whom an operation is.
struct Purpose {
  std::string what;            // names it in messages
  int64_t place = 0;           // must be equal on all ranks
  const char* advice = "let all ranks do the same in the same order, with tensors of one shape and dtype";
};

// Each group has its own order of operations, which must be the same on all ranks.
class Group {
 public:
  // Blocks until all ranks have made theirs.
  static std::shared_ptr<Group> make(const std::shared_ptr<Hub>& hub, const std::string& backend, const std::string& name);
  // By the number that operators of the dispatcher are given.
  static std::shared_ptr<Group> find(int64_t id);
  ~Group();

  int64_t id() const { return id_; }
  int rank() const { return hub_->options().rank; }
  int size() const { return hub_->options().size; }
  const std::shared_ptr<Hub>& hub() const { return hub_; }

  using Tensors = std::vector<at::Tensor>;
  // In place.
  std::shared_ptr<Pending> allReduce(const Purpose& purpose, const Tensors& tensors, Reduction reduction);
  std::shared_ptr<Pending> broadcast(const Tensors& tensors, int root);
  // outputs[r] is the input of rank r.
  std::shared_ptr<Pending> allGather(const Tensors& outputs, const at::Tensor& input);
  // output is the reduction of all ranks' inputs[rank of this one].
  std::shared_ptr<Pending> reduceScatter(const at::Tensor& output, const Tensors& inputs, Reduction reduction);
  std::shared_ptr<Pending> barrier();

 private:
  using Start = std::function<Pending::Works(c10d::Backend&)>;

  Group(const std::shared_ptr<Hub>& hub, c10::intrusive_ptr<c10d::Backend> backend, std::string backendName);
  void check(const Tensors& tensors) const;
  void checkAverage(const at::Tensor& tensor, Reduction reduction) const;
  std::shared_ptr<Pending> submit(const Purpose& purpose, int64_t code, const Tensors& tensors, Start start,
                                  std::function<void()> finish);

  const std::shared_ptr<Hub> hub_;
  c10::intrusive_ptr<c10d::Backend> backend_;
  const std::string backendName_;
  const std::shared_ptr<Sequence> sequence_;
  int64_t id_ = 0;
  std::weak_ptr<Pending> last_;
};

}  // namespace shallows
