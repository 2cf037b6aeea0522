#include "linear.h"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <mutex>
#include <optional>

#include "fast_kernels.h"
#include "frame.h"
#include "library.h"
#include "loops.h"
#include "node.h"

namespace shallows {
namespace {

using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

// Below so many weights a product is over before oneDNN has prepared it. The rows do not count, so that one row is computed
// as many are.
constexpr int64_t kFewestWeights = 1 << 14;

// oneDNN's x·Wᵀ + b, which libtorch has as an operator; none in a libtorch without oneDNN.
const std::optional<c10::OperatorHandle>& oneDnnLinear() {
  static const auto found = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
  return found;
}

// libtorch multiplies float32 matrices by MKL, whose fast loops are for Intel's processors alone. oneDNN's are for all.
bool prefersOneDnn() {
#ifdef SHALLOWS_X86
  static const bool intel = __builtin_cpu_is("intel");
  return !intel && oneDnnLinear().has_value() && at::globalContext().userEnabledMkldnn();
#else
  return false;
#endif
}

bool isPlain(const at::Tensor& x) {
  return x.is_cpu() && x.layout() == at::kStrided && x.scalar_type() == at::kFloat && x.has_storage() &&
         !x._is_zerotensor() && !x.is_neg() && !x._fw_grad(0).defined();
}

// [M, K] · [N, K]ᵀ + [N]; the second may be strided.
at::Tensor product(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
  torch::jit::Stack stack;
  torch::jit::push(stack, x, weight, bias, "none", c10::List<std::optional<at::Scalar>>(), std::optional<std::string>());
  oneDnnLinear()->callBoxed(stack);
  return std::move(stack[0]).toTensor();
}

// gᵀ·x, [N, K], from g [M, N] and x [M, K]: the narrower of them is transposed in memory.
at::Tensor weightGradient(const at::Tensor& gradient, const at::Tensor& x) {
  if (gradient.size(1) <= x.size(1)) return product(gradient.t(), x.t(), {});
  return product(x.t(), gradient.t(), {}).t().contiguous();
}

struct LinearBackward final : torch::autograd::Node {
  LinearBackward(const at::Tensor& x, const at::Tensor& weight) : x(x, false), weight(weight, false) {}
  std::string name() const override { return "LinearBackward"; }

  void release_variables() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    x.reset_data();
    weight.reset_data();
  }

  variable_list apply(variable_list&& gradients) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    const at::Tensor gradient = std::move(gradients[0]);
    if (!gradient.defined()) return {at::Tensor(), at::Tensor(), at::Tensor()};
    const at::Tensor input = x.unpack(), matrix = weight.unpack();
    const at::Tensor rows = input.reshape({-1, matrix.size(1)}), upstream = gradient.reshape({-1, matrix.size(0)});
    const bool fast = !at::GradMode::is_enabled() && isPlain(upstream) && upstream.numel() > 0;
    at::Tensor dx, dWeight, dBias;
    if (task_should_compute_output(0))
      dx = (fast ? product(upstream, matrix.t(), {}) : upstream.mm(matrix)).reshape(input.sizes());
    if (task_should_compute_output(1)) dWeight = fast ? weightGradient(upstream, rows) : upstream.t().mm(rows);
    if (task_should_compute_output(2)) dBias = upstream.sum(0);
    return {dx, dWeight, dBias};
  }

  SavedVariable x;
  SavedVariable weight;
};

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
  const bool biased = bias.has_value() && bias->defined();
  const bool fast = fastKernels() && prefersOneDnn() && isPlain(x) && isPlain(weight) && weight.dim() == 2 &&
                    weight.is_contiguous() && weight.numel() >= kFewestWeights && x.dim() >= 1 && x.numel() > 0 &&
                    x.size(-1) == weight.size(1) && !at::autocast::is_autocast_enabled(at::kCPU) &&
                    (!biased || (isPlain(*bias) && bias->dim() == 1 && bias->is_contiguous() && bias->size(0) == weight.size(0)));
  if (!fast) return at::linear(x, weight, bias);
  at::DimVector sizes(x.sizes());
  sizes.back() = weight.size(0);
  at::Tensor y;
  {
    const at::AutoDispatchBelowADInplaceOrView below;
    y = product(x.reshape({-1, weight.size(1)}), weight, bias).view(sizes);
  }
  const at::Tensor none;
  record<LinearBackward>({y}, std::tie(x, weight, biased ? *bias : none), x, weight);
  return y;
}

void define(torch::Library& library) {
  defineWithGradient(library, "linear(Tensor x, Tensor weight, Tensor? bias=None) -> Tensor", "linear", TORCH_FN(linear));
}

}  // namespace

void registerLinear() { defineOnce("shallows::linear", define); }

}  // namespace shallows
