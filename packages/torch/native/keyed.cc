#include "keyed.h"

#include <ATen/ATen.h>

#include <cmath>
#include <optional>

#include "frame.h"
#include "keyed_kernels.h"
#include "library.h"
#include "node.h"

namespace shallows {
namespace {

using torch::autograd::variable_list;

constexpr double kTwo32 = 4294967296.0;

bool isReal(c10::ScalarType type) {
  return type == at::kFloat || type == at::kDouble || type == at::kHalf || type == at::kBFloat16;
}

// One key, the high and the low 32 bits, for each of the rows in `elements`, or one for all of them.
KeyedRows keyedRows(at::IntArrayRef keys, int64_t elements, double rate) {
  TORCH_CHECK(rate >= 0 && rate < 1, "expected a rate from 0 to below 1, got ", rate, " - at 1 nothing is kept: take zeros");
  TORCH_CHECK(keys.size() % 2 == 0, "expected 'keys' to be pairs of 32 bits, got ", keys.size(), " numbers - give hi, lo");
  const auto rows = static_cast<int64_t>(keys.size() / 2);
  TORCH_CHECK(elements == 0 || (rows > 0 && elements % rows == 0), "expected keys for equal rows of ", elements,
              " elements, got ", rows, " - give a key for each row, or one for all");
  KeyedRows made{{}, rows == 0 ? 0 : elements / rows, static_cast<uint64_t>(std::llround(rate * kTwo32))};
  // A rate that rounds up to 1 keeps what has all bits set.
  made.threshold = std::min<uint64_t>(made.threshold, 0xffffffff);
  made.keys.reserve(rows);
  for (int64_t row = 0; row < rows; row++) {
    const int64_t hi = keys[2 * row], lo = keys[2 * row + 1];
    TORCH_CHECK(hi >= 0 && hi < kTwo32 && lo >= 0 && lo < kTwo32, "expected numbers of 32 bits in 'keys', got ", hi, " and ",
                lo, " - give hi, lo");
    made.keys.push_back({static_cast<uint32_t>(hi), static_cast<uint32_t>(lo)});
  }
  return made;
}

at::Tensor keyedMask(at::IntArrayRef keys, double rate, at::IntArrayRef size, std::optional<at::ScalarType> dtype) {
  const at::ScalarType type = dtype.value_or(at::kFloat);
  TORCH_CHECK(isReal(type), "expected a dtype of floating point, got ", c10::toString(type), " - give float32");
  const at::Tensor mask = at::empty(size, at::TensorOptions().dtype(type));
  keyedMaskKernel(mask, keyedRows(keys, mask.numel(), rate));
  return mask;
}

at::Tensor keyedDropout(const at::Tensor& x, at::IntArrayRef keys, double rate);

// Holds neither a mask nor what was dropped: both follow from the keys.
struct KeyedDropoutBackward final : torch::autograd::Node {
  KeyedDropoutBackward(at::IntArrayRef keys, double rate) : keys(keys.vec()), rate(rate) {}
  std::string name() const override { return "KeyedDropoutBackward"; }

  variable_list apply(variable_list&& gradients) override {
    const at::Tensor gradient = std::move(gradients[0]);
    return {gradient.defined() ? keyedDropout(gradient, keys, rate) : at::Tensor()};
  }

  const std::vector<int64_t> keys;
  const double rate;
};

// The same selection for tensors in another order: the backward pass of `threshold` takes a mask, and leaks no NaN.
at::Tensor dropOrdered(const at::Tensor& x, at::IntArrayRef keys, double rate) {
  // In the order of x, which the result then has too.
  const at::Tensor mask = at::empty_like(x).copy_(keyedMask(keys, rate, x.sizes(), x.scalar_type()));
  return at::threshold_backward(at::mul(x, 1 / (1 - rate)), mask, 0.5);
}

at::Tensor keyedDropout(const at::Tensor& x, at::IntArrayRef keys, double rate) {
  TORCH_CHECK(x.is_cpu() && x.layout() == at::kStrided && !x.is_nested() && isReal(x.scalar_type()),
              "expected a dense floating-point tensor of the CPU, got ", describeValue(x),
              " - elsewhere draw a mask and select with it");
  TORCH_CHECK(!x._fw_grad(0).defined(), "expected tensors without a forward gradient - use backward()");
  const KeyedRows rows = keyedRows(keys, x.numel(), rate);
  at::Tensor y;
  {
    const at::AutoDispatchBelowADInplaceOrView below;
    const bool plain = x.is_contiguous() && !x._is_zerotensor() && !x.is_neg() && x.has_storage();
    if (plain) {
      y = at::empty_like(x);
      keyedDropKernel(y, x, rows, 1 / (1 - rate));
    } else {
      y = dropOrdered(x, keys, rate);
    }
  }
  record<KeyedDropoutBackward>({y}, std::tie(x), keys, rate);
  return y;
}

void define(torch::Library& library) {
  library.def("keyed_mask(int[] keys, float rate, int[] size, *, ScalarType? dtype=None) -> Tensor");
  library.impl("keyed_mask", torch::dispatch(c10::DispatchKey::CompositeExplicitAutograd, TORCH_FN(keyedMask)));
  defineWithGradient(library, "keyed_dropout(Tensor x, int[] keys, float rate) -> Tensor", "keyed_dropout",
                     TORCH_FN(keyedDropout));
}

}  // namespace

void registerKeyed() {
  defineOnce("shallows::keyed_mask", define);
}

}  // namespace shallows
