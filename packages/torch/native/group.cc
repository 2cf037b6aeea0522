#include "group.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "backends.h"
#include "frame.h"

namespace shallows {
namespace {

// Operators name a group by a number that is valid in the whole process.
struct Directory {
  std::mutex mutex;
  int64_t last = 0;
  std::unordered_map<int64_t, std::weak_ptr<Group>> groups;
};

Directory& directory() {
  static auto* all = new Directory();
  return *all;
}

c10d::ReduceOp operationOf(Reduction reduction) {
  switch (reduction) {
    case Reduction::kMaximum:
      return c10d::ReduceOp::MAX;
    case Reduction::kMinimum:
      return c10d::ReduceOp::MIN;
    default:
      return c10d::ReduceOp::SUM;
  }
}

bool isReducible(c10::ScalarType type) {
  switch (type) {
    case at::kFloat:
    case at::kDouble:
    case at::kHalf:
    case at::kBFloat16:
    case at::kChar:
    case at::kByte:
    case at::kInt:
    case at::kLong:
      return true;
    default:
      return false;
  }
}

// Tensors as libtorch's operations want them, and how to bring back what was copied for that.
struct Dense {
  explicit Dense(const std::vector<at::Tensor>& tensors) {
    const c10::NoGradGuard guard;
    for (const auto& each : tensors) {
      const at::Tensor own = each.detach();
      // Written behind autograd's back.
      each.unsafeGetTensorImpl()->bump_version();
      plain.push_back(own.contiguous());
      if (!plain.back().is_same(own)) copied.emplace_back(own, plain.back());
    }
  }
  std::vector<at::Tensor> plain;
  std::vector<std::pair<at::Tensor, at::Tensor>> copied;
};

void bringBack(const std::vector<std::pair<at::Tensor, at::Tensor>>& copied) {
  const c10::NoGradGuard guard;
  for (const auto& [own, plain] : copied) own.copy_(plain);
}

// A number that is hardly ever equal for different values.
class Signature {
 public:
  void add(int64_t value) {
    state_ = (state_ ^ static_cast<uint64_t>(value)) * 0x9E3779B97F4A7C15ull;
    state_ ^= state_ >> 29;
  }
  int64_t value() const { return static_cast<int64_t>(state_); }

 private:
  uint64_t state_ = 0x243F6A8885A308D3ull;
};

// What an operation is, for the number above; with what else must be equal.
int64_t codeOf(int kind, int64_t detail = 0) { return kind * (int64_t{1} << 40) + detail; }

void divide(const std::vector<at::Tensor>& tensors, int by) {
  const c10::NoGradGuard guard;
  for (const auto& each : tensors) each.div_(by);
}

}  // namespace

Group::Group(const std::shared_ptr<Hub>& hub, c10::intrusive_ptr<c10d::Backend> backend, std::string backendName)
    : hub_(hub), backend_(std::move(backend)), backendName_(std::move(backendName)),
      sequence_(std::make_shared<Sequence>(hub, backend_.get(), backendName_ == "gloo")) {}

std::shared_ptr<Group> Group::make(const std::shared_ptr<Hub>& hub, const std::string& backend, const std::string& name) {
  const auto& options = hub->options();
  const BackendOptions wanted{hub->storeFor(name), options.rank, options.size, hub->patience(), options.address};
#ifdef SHALLOWS_NCCL
  auto made = backend == "nccl" ? makeNccl(wanted) : makeGloo(wanted);
#else
  auto made = makeGloo(wanted);
#endif
  std::shared_ptr<Group> group(new Group(hub, std::move(made), backend));
  auto& all = directory();
  const std::lock_guard<std::mutex> lock(all.mutex);
  group->id_ = ++all.last;
  all.groups[group->id_] = group;
  return group;
}

std::shared_ptr<Group> Group::find(int64_t id) {
  auto& all = directory();
  const std::lock_guard<std::mutex> lock(all.mutex);
  const auto found = all.groups.find(id);
  return found == all.groups.end() ? nullptr : found->second.lock();
}

Group::~Group() {
  {
    auto& all = directory();
    const std::lock_guard<std::mutex> lock(all.mutex);
    all.groups.erase(id_);
  }
  sequence_->close();
  // libtorch's groups wait for their operations when they are freed. Those that wait for a rank that is gone would not
  // end before the timeout: they are left behind.
  const auto last = last_.lock();
  if (!hub_->isSound() || (last && !last->isDone())) backend_.release();
}

void Group::check(const Tensors& tensors) const {
  TORCH_CHECK(!tensors.empty(), "expected tensors, got none - give one or more");
  const bool cuda = backendName_ == "nccl";
  for (const auto& each : tensors) {
    TORCH_CHECK(each.defined() && each.layout() == at::kStrided && !each.is_nested(), "expected dense tensors, got another layout - use to_dense()");
    TORCH_CHECK(cuda ? each.is_cuda() : each.is_cpu(), "expected tensors on ", cuda ? "cuda" : "the CPU",
                " with ", backendName_, ", got ", describeValue(each), " on ", each.device(),
                " - move it with .to(device), or make the group with another backend");
    TORCH_CHECK(isReducible(each.scalar_type()), "expected float16, bfloat16, float32, float64, int8, uint8, int32 or int64, got ", describeValue(each),
                " - convert with .to(dtype)");
  }
}

void Group::checkAverage(const at::Tensor& tensor, Reduction reduction) const {
  TORCH_CHECK(reduction != Reduction::kAverage || at::isFloatingType(tensor.scalar_type()),
              "expected floating point tensors for 'avg', got ", describeValue(tensor),
              " - use 'sum', or convert with .to('float32')");
}

std::shared_ptr<Pending> Group::submit(const Purpose& purpose, int64_t code, const Tensors& tensors, Start start,
                                       std::function<void()> finish) {
  Signature signature;
  signature.add(code);
  signature.add(purpose.place);
  std::string described;
  for (const auto& each : tensors) {
    signature.add(static_cast<int64_t>(each.scalar_type()));
    signature.add(each.dim());
    for (const int64_t size : each.sizes()) signature.add(size);
    if (described.size() < 80) described += (described.empty() ? " of " : ", ") + describeValue(each);
    else if (described.back() != '.') described += ", ...";
  }
  hub_->starting();
  auto pending = Pending::make(hub_, purpose.what, std::move(finish));
  last_ = pending;
  const std::string mismatch = "expected the same on all ranks, got " + purpose.what + described +
                               " here and something else on another - " + purpose.advice;
  sequence_->add({pending, signature.value(), mismatch, std::move(start)});
  return pending;
}

std::shared_ptr<Pending> Group::allReduce(const Purpose& purpose, const Tensors& tensors, Reduction reduction) {
  check(tensors);
  for (const auto& each : tensors) checkAverage(each, reduction);
  Dense dense(tensors);
  const auto start = [plain = dense.plain, reduction](c10d::Backend& backend) {
    c10d::AllreduceOptions options;
    options.reduceOp = operationOf(reduction);
    Pending::Works works;
    for (const auto& each : plain) {
      std::vector<at::Tensor> one{each};
      works.push_back(backend.allreduce(one, options));
    }
    return works;
  };
  const int by = reduction == Reduction::kAverage ? size() : 1;
  return submit(purpose, codeOf(1, static_cast<int64_t>(reduction)), tensors, start, [dense = std::move(dense), by] {
    if (by > 1) divide(dense.plain, by);
    bringBack(dense.copied);
  });
}

std::shared_ptr<Pending> Group::broadcast(const Tensors& tensors, int root) {
  check(tensors);
  TORCH_CHECK(root >= 0 && root < size(), "expected a rank from 0 to ", size() - 1, ", got ", root,
              " - name the rank that has the values");
  Dense dense(tensors);
  const auto start = [plain = dense.plain, root](c10d::Backend& backend) {
    c10d::BroadcastOptions options;
    options.rootRank = root;
    Pending::Works works;
    for (const auto& each : plain) {
      std::vector<at::Tensor> one{each};
      works.push_back(backend.broadcast(one, options));
    }
    return works;
  };
  return submit({"broadcast"}, codeOf(2, root), tensors, start, [dense = std::move(dense)] { bringBack(dense.copied); });
}

std::shared_ptr<Pending> Group::allGather(const Tensors& outputs, const at::Tensor& input) {
  check(outputs);
  check({input});
  TORCH_CHECK(outputs.size() == static_cast<size_t>(size()), "expected ", size(), " outputs, one a rank, got ",
              outputs.size(), " - make one for each");
  for (const auto& each : outputs) {
    TORCH_CHECK(each.sizes() == input.sizes() && each.scalar_type() == input.scalar_type(),
                "expected outputs like the input, ", describeValue(input), ", got ", describeValue(each),
                " - make them with emptyLike(input)");
  }
  Dense dense(outputs);
  const auto start = [plain = dense.plain, own = input.detach().contiguous()](c10d::Backend& backend) {
    std::vector<at::Tensor> inputs{own};
    std::vector<std::vector<at::Tensor>> lists{plain};
    return Pending::Works{backend.allgather(lists, inputs)};
  };
  return submit({"allGather"}, codeOf(3), {input}, start, [dense = std::move(dense)] { bringBack(dense.copied); });
}

std::shared_ptr<Pending> Group::reduceScatter(const at::Tensor& output, const Tensors& inputs, Reduction reduction) {
  check({output});
  check(inputs);
  checkAverage(output, reduction);
  TORCH_CHECK(inputs.size() == static_cast<size_t>(size()), "expected ", size(), " inputs, one a rank, got ",
              inputs.size(), " - give one for each");
  for (const auto& each : inputs) {
    TORCH_CHECK(each.sizes() == output.sizes() && each.scalar_type() == output.scalar_type(),
                "expected inputs like the output, ", describeValue(output), ", got ", describeValue(each),
                " - give tensors of one shape and dtype");
  }
  const c10::NoGradGuard guard;
  const at::Tensor all = at::stack(inputs);
  const at::Tensor part = at::empty(output.sizes(), output.options().memory_format(at::MemoryFormat::Contiguous));
  output.unsafeGetTensorImpl()->bump_version();
  const bool gloo = backendName_ == "gloo";
  const auto start = [all, part, gloo, reduction](c10d::Backend& backend) {
    // Gloo's own is an all-reduce too, and cannot be waited for without a thread.
    std::vector<at::Tensor> one{all};
    if (gloo) {
      c10d::AllreduceOptions options;
      options.reduceOp = operationOf(reduction);
      return Pending::Works{backend.allreduce(one, options)};
    }
    std::vector<at::Tensor> outputs{part};
    std::vector<std::vector<at::Tensor>> lists{all.unbind(0)};
    c10d::ReduceScatterOptions options;
    options.reduceOp = operationOf(reduction);
    return Pending::Works{backend.reduce_scatter(outputs, lists, options)};
  };
  const int by = reduction == Reduction::kAverage ? size() : 1;
  const at::Tensor result = gloo ? all.select(0, rank()) : part;
  return submit({"reduceScatter"}, codeOf(4, static_cast<int64_t>(reduction)), {output}, start,
                [own = output.detach(), result, by] {
                  const c10::NoGradGuard guard;
                  own.copy_(result);
                  if (by > 1) own.div_(by);
                });
}

std::shared_ptr<Pending> Group::barrier() {
  return submit({"barrier"}, codeOf(5), {}, [](c10d::Backend& backend) { return Pending::Works{backend.barrier()}; }, {});
}

}  // namespace shallows
