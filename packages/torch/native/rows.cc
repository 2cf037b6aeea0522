#include "rows.h"

#include <ATen/core/grad_mode.h>

namespace shallows {
namespace {

bool isReduced(c10::ScalarType type) { return type == at::kHalf || type == at::kBFloat16; }

at::Tensor emptySum(const at::Tensor& shortcut, const at::Tensor& branch) {
  const auto type = c10::promoteTypes(shortcut.scalar_type(), branch.scalar_type());
  return at::empty_like(shortcut, shortcut.options().dtype(type));
}

// The kernel of the CPU rounds the factor to the tensors' dtype before it multiplies; that of CUDA does not.
void addInto(at::Tensor out, const at::Tensor& shortcut, const at::Tensor& branch, double scale) {
  if (scale != 1 && isReduced(out.scalar_type()) && !out.is_cuda()) {
    at::add_out(out, shortcut.to(at::kFloat), branch.to(at::kFloat), scale);
  } else {
    at::add_out(out, shortcut, branch, scale);
  }
}

// `keep` with as many dimensions as `like`, to select whole rows.
at::Tensor asRowMask(const at::Tensor& keep, const at::Tensor& like) {
  at::DimVector shape(like.dim(), 1);
  shape[0] = keep.size(0);
  return keep.view(shape);
}

void copyRows(const at::Tensor& out, const at::Tensor& from, int64_t start, int64_t end) {
  if (start < end) out.narrow(0, start, end - start).copy_(from.narrow(0, start, end - start));
}

// Whether the loops of our own write this sum.
bool fused(const at::Tensor& out, const at::Tensor& shortcut, const at::Tensor& branch) {
  return hasKernels(out, shortcut) && hasKernels(out, branch);
}

// For sums that libtorch wrote.
void setPassed(at::Tensor* passed, const at::Tensor& out) {
  if (passed == nullptr || !hasKernels(out, out)) return;
  *passed = emptyBits(out);
  passedKernel(*passed, out);
}

}  // namespace

at::Tensor addWindow(const at::Tensor& shortcut, const at::Tensor& branch, int64_t start, double scale, Rectify rectify,
                     at::Tensor* passed) {
  at::Tensor out = emptySum(shortcut, branch);
  const int64_t length = branch.size(0);
  if (fused(out, shortcut, branch)) {
    const at::Tensor bits = passed == nullptr ? at::Tensor() : *passed = emptyBits(out);
    joinRowsKernel(out, shortcut, branch, RowMap(start, length), scale, rectify, bits);
    return out;
  }
  copyRows(out, shortcut, 0, start);
  at::Tensor kept = out.narrow(0, start, length);
  if (length > 0) addInto(kept, shortcut.narrow(0, start, length), branch, scale);
  copyRows(out, shortcut, start + length, shortcut.size(0));
  if (rectify != Rectify::none) (rectify == Rectify::all ? out : kept).relu_();
  setPassed(passed, out);
  return out;
}

// The sums are those of `addWindow` to the last bit. index_add rounds the factor to the dtype outside of the CPU, so that
// rows are gathered, added and put back.
at::Tensor addRows(const at::Tensor& shortcut, const at::Tensor& branch, const at::Tensor& index, double scale,
                   Rectify rectify, at::Tensor* passed) {
  at::Tensor out = emptySum(shortcut, branch);
  if (index.is_cpu() && fused(out, shortcut, branch)) {
    const at::Tensor bits = passed == nullptr ? at::Tensor() : *passed = emptyBits(out);
    joinRowsKernel(out, shortcut, branch, RowMap(index, shortcut.size(0)), scale, rectify, bits);
    return out;
  }
  out.copy_(shortcut);
  if (index.size(0) > 0) {
    const at::Tensor rows = rowsAt(shortcut, index);
    at::Tensor sum = emptySum(rows, branch);
    addInto(sum, rows, branch, scale);
    if (rectify == Rectify::kept) sum.relu_();
    out.index_copy_(0, index, sum);
  }
  if (rectify == Rectify::all) out.relu_();
  setPassed(passed, out);
  return out;
}

at::Tensor addMasked(const at::Tensor& shortcut, const at::Tensor& branch, const at::Tensor& keep, double scale) {
  at::Tensor out = emptySum(shortcut, branch);
  addInto(out, shortcut, branch, scale);
  if (out.is_meta()) return out;
  return at::where_out(out, asRowMask(keep, shortcut), out, shortcut.to(out.scalar_type()));
}

// Neither index_select nor where has a kernel for tensors without data. Rows lie in memory as in the batch, where index_select
// alone would order them plainly.
at::Tensor rowsAt(const at::Tensor& x, const at::Tensor& index) {
  if (x.is_meta()) return at::index(x, {index});
  const bool isChannelsLast = x.dim() == 4 && !x.is_contiguous() && x.is_contiguous(at::MemoryFormat::ChannelsLast);
  if (!isChannelsLast) return x.index_select(0, index);
  return x.permute({0, 2, 3, 1}).index_select(0, index).permute({0, 3, 1, 2});
}

at::Tensor keptRows(const at::Tensor& x, const at::Tensor& keep) {
  return x.is_meta() ? x : at::where(asRowMask(keep, x), x, 0);
}

at::Tensor scaled(const at::Tensor& gradient, double scale, c10::ScalarType type) {
  return (scale == 1 ? gradient : at::mul(gradient, scale)).to(type);
}

at::MemoryFormat orderOf(const at::Tensor& batch) {
  return batch.is_contiguous() ? at::MemoryFormat::Contiguous : at::MemoryFormat::ChannelsLast;
}

bool isUnshared(const at::Tensor& tensor) {
  return !at::GradMode::is_enabled() && tensor.use_count() == 1 && tensor.layout() == at::kStrided &&
         !tensor._is_zerotensor() && tensor.has_storage() && tensor.storage().use_count() == 1 &&
         tensor.is_non_overlapping_and_dense();
}

}  // namespace shallows
