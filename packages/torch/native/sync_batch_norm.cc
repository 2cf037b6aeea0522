#include "sync_batch_norm.h"

#include <ATen/ATen.h>
#include <ATen/OpMathType.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <mutex>

#include "frame.h"
#include "group.h"
#include "library.h"
#include "node.h"

namespace shallows {
namespace {

using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

std::shared_ptr<Group> groupOf(int64_t id) {
  auto group = Group::find(id);
  TORCH_CHECK(group != nullptr, "expected the number of an open process group, got ", id, " - make one with initProcessGroup");
  return group;
}

// [C] as [1, C, 1, 1] for an x of four dimensions, in the dtype of x.
at::Tensor perChannel(const at::Tensor& values, const at::Tensor& x) {
  at::DimVector shape(x.dim(), 1);
  shape[1] = values.numel();
  return values.to(x.scalar_type()).view(shape);
}

// Sums over ranks, in double precision: what each adds is large beside the differences that count.
void sumOver(const std::shared_ptr<Group>& group, const at::Tensor& values, int64_t layer, bool backward) {
  const Purpose purpose{"sync_batch_norm", 2 * layer + (backward ? 1 : 0),
                        "drop blocks on all ranks at once, or mask them, and give every rank rows"};
  group->allReduce(purpose, {values}, Reduction::kSum)->wait();
}

// With x̂ = (x − μ)/σ, N values a channel over all ranks and g the gradient of y = γ · x̂ + β:
// ∂x = γ/σ · (g − Σg/N − x̂ · Σ(g · x̂)/N), the sums over all ranks; ∂γ = Σ(g · x̂) and ∂β = Σg over this rank's rows.
struct SyncBatchNormBackward final : torch::autograd::Node {
  SyncBatchNormBackward(const std::shared_ptr<Group>& group, const at::Tensor& x, const at::Tensor& weight,
                        const at::Tensor& mean, const at::Tensor& variance, const at::Tensor& count, double eps,
                        int64_t layer)
      : group(group), x(x, false), weight(weight, false), mean(mean), variance(variance), count(count), eps(eps),
        layer(layer) {}
  std::string name() const override { return "SyncBatchNormBackward"; }

  void release_variables() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    x.reset_data();
    weight.reset_data();
  }

  variable_list apply(variable_list&& gradients) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    TORCH_CHECK(!at::GradMode::is_enabled(),
                "sync_batch_norm: expected a backward pass without createGraph, got one with it - its gradient has none");
    const at::Tensor input = x.unpack();
    const at::Tensor gamma = weight.unpack().to(mean.options());
    const int64_t channels = gamma.numel();
    const auto gradient = gradients[0].defined() ? gradients[0] : at::zeros_like(input);
    const auto parameters = weight.unpack().scalar_type();
    at::Tensor products = at::zeros_like(gamma);
    at::Tensor sum = at::zeros_like(gamma);
    if (input.numel() > 0) {
      const auto found = at::native_batch_norm_backward(gradient, input, gamma, mean, variance, {}, {}, false, eps, {false, true, true});
      products = std::get<1>(found);
      sum = std::get<2>(found);
    }
    const at::Tensor all = at::cat({sum.to(at::kDouble), products.to(at::kDouble)});
    sumOver(group, all, layer, true);
    const at::Tensor scale = gamma.to(at::kDouble) * (variance.to(at::kDouble) + eps).rsqrt();
    const at::Tensor meanSum = all.narrow(0, 0, channels) / count;
    const at::Tensor meanProduct = all.narrow(0, channels, channels) / count;
    // scale · g + slope · x + shift
    const at::Tensor slope = -scale * meanProduct * (variance.to(at::kDouble) + eps).rsqrt();
    const at::Tensor shift = -scale * meanSum - slope * mean.to(at::kDouble);
    at::Tensor inputGradient;
    if (task_should_compute_output(0)) {
      inputGradient = (input * perChannel(slope, input)).add_(perChannel(shift, input));
      inputGradient.addcmul_(gradient, perChannel(scale, input));
    }
    return {inputGradient, products.to(parameters), sum.to(parameters)};
  }

  const std::shared_ptr<Group> group;
  SavedVariable x;
  SavedVariable weight;
  const at::Tensor mean;
  const at::Tensor variance;
  const at::Tensor count;
  const double eps;
  const int64_t layer;
};

void check(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  TORCH_CHECK(x.layout() == at::kStrided && x.dim() >= 2 && at::isFloatingType(x.scalar_type()),
              "expected a dense floating point x [B, C, …], got ", describeValue(x), " - add the batch and the channels");
  for (const at::Tensor* each : {&weight, &bias}) {
    TORCH_CHECK(each->dim() == 1 && each->numel() == x.size(1) && at::isFloatingType(each->scalar_type()),
                "expected a weight and a bias [", x.size(1), "], got ", describeValue(*each), " - give a value a channel");
    TORCH_CHECK(each->device() == x.device(), "expected all on ", x.device(), ", got ", each->device());
  }
}

at::Tensor syncBatchNorm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                         const std::optional<at::Tensor>& runningMean, const std::optional<at::Tensor>& runningVar,
                         double momentum, double eps, int64_t id, int64_t layer) {
  check(x, weight, bias);
  const auto group = groupOf(id);
  const int64_t channels = x.size(1);
  at::Tensor y, mean, variance, count;
  {
    const at::AutoDispatchBelowADInplaceOrView below;
    // n, n · μ and n · (σ² + μ²) of this rank's rows, from its own centred statistics: nothing cancels in single precision.
    const auto options = weight.options().dtype(at::toOpMathType(weight.scalar_type()));
    const at::Tensor own = at::zeros({2 * channels + 1}, x.options().dtype(at::kDouble));
    if (x.numel() > 0) {
      // Running statistics that do not move: theirs is the precision of what is found.
      const at::Tensor zero = at::zeros({channels}, options);
      const auto [localMean, localVariance] = at::batch_norm_update_stats(x, zero, at::ones({channels}, options), 0);
      const double rows = static_cast<double>(x.numel() / channels);
      const at::Tensor wide = localMean.to(at::kDouble);
      own.narrow(0, 0, 1).fill_(rows);
      own.narrow(0, 1, channels).copy_(wide * rows);
      own.narrow(0, 1 + channels, channels).copy_((localVariance.to(at::kDouble) + wide * wide) * rows);
    }
    sumOver(group, own, layer, false);
    count = own.narrow(0, 0, 1);
    const at::Tensor wideMean = own.narrow(0, 1, channels) / count;
    const at::Tensor wideVariance = (own.narrow(0, 1 + channels, channels) / count - wideMean * wideMean).clamp_min_(0);
    TORCH_CHECK(!x.is_cpu() || count.item<double>() > 1, "expected 2 or more values a channel over all ranks, got ",
                count.item<double>(), " - train on larger batches");
    mean = wideMean.to(options);
    variance = wideVariance.to(options);
    if (runningMean.has_value() && runningMean->defined()) runningMean->mul_(1 - momentum).add_(wideMean, momentum);
    if (runningVar.has_value() && runningVar->defined()) {
      runningVar->mul_(1 - momentum).add_(wideVariance * count / (count - 1), momentum);
    }
    y = x.numel() > 0 ? std::get<0>(at::native_batch_norm(x, weight.to(options), bias.to(options), mean, variance, false, 0, eps)) : x.clone();
  }
  record<SyncBatchNormBackward>({y}, std::tie(x, weight, bias), group, x, weight, mean, variance, count, eps,
                                layer);
  return y;
}

void define(torch::Library& library) {
  defineWithGradient(
      library,
      "sync_batch_norm(Tensor x, Tensor weight, Tensor bias, Tensor? running_mean, Tensor? running_var, float momentum, "
      "float eps, int group, int layer) -> Tensor",
      "sync_batch_norm", TORCH_FN(syncBatchNorm));
}

}  // namespace

void registerSyncBatchNorm() {
  defineOnce("shallows::sync_batch_norm", define);
}

}  // namespace shallows
