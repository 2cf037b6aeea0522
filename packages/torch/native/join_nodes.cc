#include "join_nodes.h"

#include <mutex>

namespace shallows {

using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

namespace {

// Memory for some rows like those of a batch, in its order.
at::Tensor emptyRows(const at::Tensor& batch, int64_t count) {
  at::DimVector sizes(batch.sizes());
  sizes[0] = count;
  return at::empty(sizes, batch.options().memory_format(orderOf(batch)));
}

}  // namespace

JoinRelu::JoinRelu(const at::Tensor& sum, const at::Tensor& passed)
    : kept_(passed.defined() ? SavedVariable(passed, false) : SavedVariable(sum, true)),
      isBits_(passed.defined()),
      sizes_(sum.sizes()),
      options_(sum.options()),
      format_(orderOf(sum)) {}

// A gradient that comes in another order would take all below out of that of the batch.
at::Tensor JoinRelu::bitsFor(at::Tensor& gradient) const {
  if (!isBits_ || at::GradMode::is_enabled()) return {};
  const bool alike = gradient.layout() == at::kStrided && gradient.device() == options_.device() &&
                     gradient.scalar_type() == c10::typeMetaToScalarType(options_.dtype()) && gradient.sizes() == sizes_;
  if (!alike) return {};
  if (!hasKernels(gradient, gradient) || !gradient.is_contiguous(format_))
    gradient = at::empty(sizes_, options_.memory_format(format_)).copy_(gradient);
  return kept_.unpack();
}

at::Tensor JoinRelu::cut(const NodePointer& owner) const {
  if (!isBits_) return kept_.unpack(owner).detach().le(0);
  const at::Tensor ones = at::ones(sizes_, options_.memory_format(format_));
  const int64_t rows = ones.size(0);
  splitRowsKernel(ones, at::Tensor(), kept_.unpack(), RowMap(0, rows), 1, Rectify::all);
  return ones.eq(0);
}

variable_list Join::apply(variable_list&& gradients) {
  const std::lock_guard<std::mutex> lock(mutex_);
  at::Tensor gradient = std::move(gradients[0]);
  if (!gradient.defined()) return {at::Tensor(), at::Tensor()};
  const bool wanted = task_should_compute_output(1);
  const bool isRectified = rectify_ != Rectify::none;
  const at::Tensor bits = isRectified ? relu_.bitsFor(gradient) : at::Tensor();
  const bool hasWork = isRectified ? bits.defined() : wanted && scale_ != 1;
  if (hasWork && !at::GradMode::is_enabled() && hasKernels(gradient, gradient) &&
      shortcutType_ == gradient.scalar_type() && branchType_ == gradient.scalar_type()) {
    if (const std::optional<RowMap> map = mapOf(gradient)) {
      if (isRectified && !isUnshared(gradient)) gradient = gradient.clone();
      // Where the branch has every row, in its place and unscaled, the two gradients are one.
      const bool same = wanted && scale_ == 1 && isWhole(gradient);
      const at::Tensor branch = wanted && !same ? emptyRows(gradient, count()) : at::Tensor();
      splitRowsKernel(gradient, branch, bits, *map, scale_, rectify_);
      return {gradient, same ? gradient : branch};
    }
  }
  if (isRectified) gradient = throughRelu(gradient);
  return {gradient.to(shortcutType_), wanted ? scaled(rowsOf(gradient), scale_, branchType_) : at::Tensor()};
}

// The gradient before the relu, for tensors that have no loop of their own, and to be differentiated again.
at::Tensor Join::throughRelu(const at::Tensor& gradient) {
  at::Tensor cut = relu_.cut(getptr());
  if (rectify_ == Rectify::kept) {
    at::Tensor dropped = at::ones_like(cut);
    put(dropped, at::zeros_like(rowsOf(cut)));
    cut = cut.logical_and(dropped.logical_not());
  }
  return gradient.masked_fill(cut, 0);
}

std::optional<RowMap> JoinRowsBackward::mapOf(const at::Tensor& batch) const {
  const at::Tensor index = index_.unpack();
  return index.is_cpu() ? std::optional<RowMap>(RowMap(index, batch.size(0))) : std::nullopt;
}

variable_list JoinMaskBackward::apply(variable_list&& gradients) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const at::Tensor gradient = std::move(gradients[0]);
  if (!gradient.defined()) return {at::Tensor(), at::Tensor()};
  at::Tensor branch;
  if (task_should_compute_output(1)) branch = keptRows(scaled(gradient, scale_, branchType_), keep_.unpack());
  return {gradient.to(shortcutType_), branch};
}

}  // namespace shallows
