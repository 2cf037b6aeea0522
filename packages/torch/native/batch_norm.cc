#include "batch_norm.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <mutex>
#include <optional>

#include "batch_norm_kernels.h"
#include "fast_kernels.h"
#include "frame.h"
#include "library.h"
#include "node.h"
#include "rows.h"

namespace shallows {
namespace {

using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

struct BatchNormNode final : torch::autograd::Node {
  BatchNormNode(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const ChannelStats& stats,
                    double eps, bool relu)
      : x(x, false), weight(weight, false), bias(bias, false), mean(stats.mean), inverse(stats.inverse), eps(eps),
        relu(relu) {}
  std::string name() const override { return "BatchNormBackward"; }

  void release_variables() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (SavedVariable* each : {&x, &weight, &bias}) each->reset_data();
  }

  variable_list apply(variable_list&& gradients) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    at::Tensor gradient = std::move(gradients[0]);
    if (!gradient.defined()) return {at::Tensor(), at::Tensor(), at::Tensor()};
    const at::Tensor input = x.unpack(), gamma = weight.unpack(), beta = bias.unpack();
    if (at::GradMode::is_enabled()) return differentiable(gradient, input, gamma, beta);
    gradient = gradient.contiguous(input.suggest_memory_format());
    at::Tensor dx;
    if (task_should_compute_output(0)) dx = isUnshared(gradient) ? gradient : at::empty_like(input);
    const at::Tensor dWeight = at::empty_like(mean), dBias = at::empty_like(mean);
    batchNormBackwardKernel(dx, dWeight, dBias, gradient, input, gamma, beta, mean, inverse, relu);
    return {dx, dWeight, dBias};
  }

  SavedVariable x;
  SavedVariable weight;
  SavedVariable bias;
  const at::Tensor mean;
  const at::Tensor inverse;
  const double eps;
  const bool relu;

 private:
  // The same by operators that have a gradient themselves.
  variable_list differentiable(at::Tensor gradient, const at::Tensor& input, const at::Tensor& gamma,
                               const at::Tensor& beta) const {
    if (relu) {
      at::DimVector shape(input.dim(), 1);
      shape[1] = mean.numel();
      const at::Tensor scale = (inverse * gamma.detach()).view(shape);
      const at::Tensor y = (input.detach() - mean.view(shape)) * scale + beta.detach().view(shape);
      gradient = gradient.masked_fill(y.le(0), 0);
    }
    const auto [dx, dWeight, dBias] =
        at::native_batch_norm_backward(gradient, input, gamma, {}, {}, mean, inverse, true, eps, {true, true, true});
    return {dx, dWeight, dBias};
  }
};

void checkChannels(const at::Tensor& x, const std::optional<at::Tensor>& values, const char* name) {
  if (!values.has_value() || !values->defined()) return;
  TORCH_CHECK(values->dim() == 1 && values->size(0) == x.size(1) && values->layout() == at::kStrided, "expected a '", name,
              "' [", x.size(1), "], got ", describeValue(*values), " - give a value a channel");
}

// Whether the loops take values of a channel as they are.
bool fits(const at::Tensor& x, const at::Tensor& values) {
  return values.is_cpu() && values.scalar_type() == x.scalar_type() && values.is_contiguous() && values.has_storage() &&
         !values._is_zerotensor() && !values.is_neg();
}

// r ← (1 − momentum) · r + momentum · batch, as one change.
void move(const at::Tensor& running, const at::Tensor& batch, double momentum) {
  running.mul_(1 - momentum).add_(batch, momentum);
  if (!running.is_inference()) running.unsafeGetTensorImpl()->bump_version();
}

at::Tensor batchNorm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                     const std::optional<at::Tensor>& runningMean, const std::optional<at::Tensor>& runningVar,
                     double momentum, double eps, bool relu) {
  TORCH_CHECK(x.layout() == at::kStrided && !x.is_nested() && x.dim() >= 2 && at::isFloatingType(x.scalar_type()),
              "expected a dense floating point x [B, C, …], got ", describeValue(x), " - add the batch and the channels");
  checkChannels(x, weight, "weight");
  checkChannels(x, bias, "bias");
  checkChannels(x, runningMean, "running_mean");
  checkChannels(x, runningVar, "running_var");
  TORCH_CHECK(x.numel() == 0 || x.numel() / x.size(1) > 1, "expected 2 or more values a channel, got ", x.sizes(),
              " - train on larger batches");
  const bool stored = runningMean.has_value() && runningMean->defined();
  TORCH_CHECK(stored == (runningVar.has_value() && runningVar->defined()),
              "expected both running statistics or neither, got one - give running_mean and running_var");
  const bool kernel = fastKernels() && hasBatchNormKernel(x) && fits(x, weight) && fits(x, bias) && !x._fw_grad(0).defined() &&
                      !weight._fw_grad(0).defined() && !bias._fw_grad(0).defined();
  if (!kernel) {
    at::Tensor y = at::batch_norm(x, weight, bias, runningMean, runningVar, true, momentum, eps, true);
    return relu ? at::relu_(y) : y;
  }
  at::Tensor y;
  std::optional<ChannelStats> stats;
  {
    const at::AutoDispatchBelowADInplaceOrView below;
    y = at::empty_like(x);
    stats = batchNormKernel(y, x, weight, bias, eps, relu);
    if (stored) {
      move(*runningMean, stats->mean, momentum);
      move(*runningVar, stats->variance, momentum);
    }
  }
  record<BatchNormNode>({y}, std::tie(x, weight, bias), x, weight, bias, *stats, eps, relu);
  return y;
}

void define(torch::Library& library) {
  defineWithGradient(
      library,
      "batch_norm(Tensor x, Tensor weight, Tensor bias, Tensor(a!)? running_mean, Tensor(b!)? running_var, float momentum, "
      "float eps, *, bool relu=False) -> Tensor",
      "batch_norm", TORCH_FN(batchNorm));
}

}  // namespace

void registerBatchNorm() { defineOnce("shallows::batch_norm", define); }

}  // namespace shallows
