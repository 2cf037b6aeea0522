#include "reducer.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/utils/lambda_post_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <map>
#include <mutex>
#include <utility>

#include "frame.h"
#include "node.h"

namespace shallows {
namespace {

constexpr size_t kNoBucket = static_cast<size_t>(-1);
constexpr int64_t kLargestBucket = int64_t{1} << 40;

// A part of a bucket that has the shape of a parameter, and its memory layout where that has no holes: copies are then
// those of plain memory.
at::Tensor placeOf(const at::Tensor& flat, int64_t offset, const at::Tensor& parameter) {
  const at::Tensor part = flat.narrow(0, offset, parameter.numel());
  if (parameter.is_non_overlapping_and_dense()) {
    return part.as_strided(parameter.sizes(), parameter.strides(), part.storage_offset());
  }
  return part.view(parameter.sizes());
}

struct Place {
  Expected expected = Expected::kNothing;
  size_t bucket = kNoBucket;
  at::Tensor memory;
  bool ready = false;
};

struct Bucket {
  at::Tensor flat;
  size_t left = 0;  // parameters that are not there yet
  std::shared_ptr<Pending> sum;
};

}  // namespace

// What the hooks in the autograd graph share with the reducer. They may run on threads of libtorch's.
struct Reducer::Step {
  Step(std::shared_ptr<Group> group, std::vector<at::Tensor> parameters, std::vector<std::string> names,
       int64_t bucketBytes, int64_t firstBucketBytes)
      : group(std::move(group)), parameters(std::move(parameters)), names(std::move(names)), bucketBytes(bucketBytes),
        firstBucketBytes(firstBucketBytes), places(this->parameters.size()) {}

  using Kind = std::pair<c10::ScalarType, std::string>;
  Kind kindOf(size_t index) const { return {parameters[index].scalar_type(), parameters[index].device().str()}; }
  std::string describe(size_t index) const {
    const std::string name = index < names.size() ? "'" + names[index] + "'" : "parameter " + std::to_string(index);
    return name + ", " + describeValue(parameters[index]);
  }

  void layOut(const std::vector<Expected>& expected);
  void hook(size_t index, bool hasGradient);
  void put(size_t index);
  void launch();
  void putEarlier();
  void requireComplete() const;
  void giveBack();

  const std::shared_ptr<Group> group;
  const std::vector<at::Tensor> parameters;
  const std::vector<std::string> names;
  const int64_t bucketBytes;
  const int64_t firstBucketBytes;
  std::vector<NodePointer> accumulators;
  std::vector<uintptr_t> hooks;

  mutable std::mutex mutex;
  bool armed = false;
  std::map<Kind, at::Tensor> memory;  // for all parameters of a kind, kept from step to step
  std::vector<Place> places;
  std::vector<Bucket> buckets;
  size_t next = 0;  // bucket to send: all ranks send them in one order
  int64_t bytes = 0;
  int64_t steps = 0;
};

Reducer::Reducer(std::shared_ptr<Group> group, std::vector<at::Tensor> parameters, std::vector<std::string> names,
                 int64_t bucketBytes, int64_t firstBucketBytes)
    : step_(std::make_shared<Step>(std::move(group), std::move(parameters), std::move(names), bucketBytes,
                                   firstBucketBytes)) {
  TORCH_CHECK(bucketBytes > 0 && bucketBytes <= kLargestBucket && firstBucketBytes > 0 && firstBucketBytes <= kLargestBucket,
              "expected buckets of 1 byte or more, got ", bucketBytes, " and ", firstBucketBytes);
  for (size_t i = 0; i < step_->parameters.size(); ++i) {
    const at::Tensor& each = step_->parameters[i];
    TORCH_CHECK(each.defined() && each.requires_grad() && each.is_leaf(), "expected leaves that require a gradient, got ",
                step_->describe(i), " - leave out what is not learnt");
    TORCH_CHECK(at::isFloatingType(each.scalar_type()), "expected floating point parameters, got ", step_->describe(i));
  }
  for (size_t i = 0; i < step_->parameters.size(); ++i) {
    auto accumulator = torch::autograd::impl::grad_accumulator(step_->parameters[i]);
    // Weak: the graph must not keep the reducer alive.
    const auto hook = [weak = std::weak_ptr<Step>(step_), i](const torch::autograd::variable_list& outputs,
                                                            const torch::autograd::variable_list& inputs) {
      if (const auto step = weak.lock()) step->hook(i, !inputs.empty() && inputs[0].defined());
      return outputs;
    };
    step_->hooks.push_back(accumulator->add_post_hook(std::make_unique<torch::autograd::utils::LambdaPostHook>(hook)));
    step_->accumulators.push_back(std::move(accumulator));
  }
}

Reducer::~Reducer() {
  for (size_t i = 0; i < step_->hooks.size(); ++i) step_->accumulators[i]->del_post_hook(step_->hooks[i]);
}

void Reducer::begin(const std::vector<Expected>& expected) {
  const std::lock_guard<std::mutex> lock(step_->mutex);
  TORCH_CHECK(!step_->armed, "expected the step before to be finished, got another one - call finishStep() after each");
  TORCH_CHECK(expected.size() == step_->parameters.size(), "internal: expected a state a parameter");
  const c10::NoGradGuard guard;
  step_->layOut(expected);
  step_->armed = true;
  ++step_->steps;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (expected[i] == Expected::kNothingHere) step_->put(i);
  }
  step_->launch();
}

void Reducer::finish() {
  {
    const std::lock_guard<std::mutex> lock(step_->mutex);
    TORCH_CHECK(step_->armed, "expected a step that was begun, got none - call beginStep() before the last backward pass");
    step_->armed = false;
    const c10::NoGradGuard guard;
    step_->putEarlier();
    step_->requireComplete();
    step_->launch();
  }
  for (const auto& bucket : step_->buckets) bucket.sum->wait();
  step_->giveBack();
}

int64_t Reducer::bytes() const {
  const std::lock_guard<std::mutex> lock(step_->mutex);
  return step_->bytes;
}

size_t Reducer::buckets() const {
  const std::lock_guard<std::mutex> lock(step_->mutex);
  return step_->buckets.size();
}

// Backward passes go through a model from its end: its last parameters are the first to be there.
void Reducer::Step::layOut(const std::vector<Expected>& expected) {
  struct Open {
    int64_t from = 0;
    int64_t to = 0;
    size_t bucket = kNoBucket;
  };
  std::map<Kind, Open> open;
  buckets.clear();
  next = 0;
  std::map<Kind, int64_t> sizes;
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (memory.empty()) sizes[kindOf(i)] += parameters[i].numel();
    places[i] = Place{expected[i], kNoBucket, {}, false};
  }
  for (const auto& [kind, size] : sizes) {
    memory[kind] = at::empty({size}, at::TensorOptions(kind.first).device(at::Device(kind.second)));
  }
  const auto close = [&](const Kind& kind, Open& part) {
    if (part.bucket == kNoBucket) return;
    buckets[part.bucket].flat = memory[kind].narrow(0, part.from, part.to - part.from);
    part.from = part.to;
    part.bucket = kNoBucket;
  };
  for (size_t i = parameters.size(); i-- > 0;) {
    if (expected[i] == Expected::kNothing) continue;
    const Kind kind = kindOf(i);
    Open& part = open[kind];
    if (part.bucket == kNoBucket) {
      part.bucket = buckets.size();
      buckets.emplace_back();
    }
    Place& place = places[i];
    place.bucket = part.bucket;
    place.memory = placeOf(memory[kind], part.to, parameters[i]);
    part.to += parameters[i].numel();
    ++buckets[part.bucket].left;
    const int64_t limit = part.bucket == 0 ? firstBucketBytes : bucketBytes;
    if ((part.to - part.from) * static_cast<int64_t>(parameters[i].element_size()) >= limit) close(kind, part);
  }
  for (auto& [kind, part] : open) close(kind, part);
}

void Reducer::Step::hook(size_t index, bool hasGradient) {
  const std::lock_guard<std::mutex> lock(mutex);
  if (!armed) return;
  Place& place = places[index];
  if (place.expected != Expected::kGradient) {
    TORCH_CHECK(!hasGradient, "expected no gradient of ", describe(index), ", as ",
                place.expected == Expected::kNothing ? "'absent'" : "'localAbsent'",
                " of beginStep() says, got one - give the sets of the plan that runs");
    return;
  }
  TORCH_CHECK(!place.ready, "expected one backward pass before finishStep(), got a second gradient of ",
              describe(index), " - call beginStep() before the last one");
  const c10::NoGradGuard guard;
  put(index);
  launch();
}

void Reducer::Step::put(size_t index) {
  Place& place = places[index];
  const at::Tensor& gradient = parameters[index].grad();
  TORCH_CHECK(!gradient.defined() || gradient.layout() == at::kStrided, "expected a dense gradient of ", describe(index),
              ", got a sparse one - use a dense embedding");
  if (gradient.defined()) place.memory.copy_(gradient);
  else place.memory.zero_();
  place.ready = true;
  --buckets[place.bucket].left;
}

void Reducer::Step::launch() {
  for (; next < buckets.size() && buckets[next].left == 0; ++next) {
    Bucket& bucket = buckets[next];
    const Purpose purpose{"finishStep", steps, "name the same parameters as absent on all ranks, in each step"};
    bucket.sum = group->allReduce(purpose, {bucket.flat}, Reduction::kSum);
    bytes += bucket.flat.numel() * static_cast<int64_t>(bucket.flat.element_size());
  }
}

// What the last backward pass of an accumulation left alone has the gradient of earlier ones.
void Reducer::Step::putEarlier() {
  for (size_t i = 0; i < places.size(); ++i) {
    if (places[i].bucket != kNoBucket && !places[i].ready && parameters[i].grad().defined()) put(i);
  }
}

void Reducer::Step::requireComplete() const {
  std::string missing;
  size_t count = 0;
  for (size_t i = 0; i < places.size(); ++i) {
    if (places[i].bucket == kNoBucket || places[i].ready) continue;
    if (++count <= 5) missing += (count == 1 ? "" : "; ") + describe(i);
  }
  TORCH_CHECK(count == 0, "expected a gradient of every parameter that 'absent' and 'localAbsent' do not name, got none of ",
              count, ": ", missing, count > 5 ? "; …" : "", " - name them, or leave out what the loss does not depend on");
}

void Reducer::Step::giveBack() {
  const c10::NoGradGuard guard;
  for (size_t i = 0; i < places.size(); ++i) {
    Place& place = places[i];
    if (place.bucket == kNoBucket) continue;
    at::Tensor& gradient = parameters[i].mutable_grad();
    if (gradient.defined()) gradient.copy_(place.memory);
    else gradient = place.memory.clone(at::MemoryFormat::Preserve);
  }
}

}  // namespace shallows
