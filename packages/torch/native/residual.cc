#include "residual.h"

#include <algorithm>
#include <cmath>

#include "fork_nodes.h"
#include "frame.h"
#include "join_nodes.h"
#include "library.h"
#include "rows.h"

namespace shallows {
namespace {

void checkBatch(const at::Tensor& tensor, const char* name) {
  TORCH_CHECK(tensor.layout() == at::kStrided && !tensor.is_nested(), "expected a dense tensor as '", name,
              "', got another layout - use to_dense()");
  TORCH_CHECK(tensor.dim() >= 1, "expected rows in '", name, "', got a scalar - give it a batch dimension");
  TORCH_CHECK(!tensor._fw_grad(0).defined(), "expected tensors without a forward gradient - use backward()");
}

void checkWindow(int64_t rows, int64_t start, int64_t length) {
  TORCH_CHECK(start >= 0 && length >= 0 && start <= rows && length <= rows - start, "expected rows within 0 … ", rows,
              ", got ", length, " from ", start, " - start + length may be the number of rows at most");
}

// The index on the device of the batch. One that is on the CPU is checked there, so that a device need not be waited for.
at::Tensor checkedIndex(const at::Tensor& index, const at::Tensor& batch, bool distinct) {
  TORCH_CHECK(index.scalar_type() == at::kLong && index.dim() == 1 && index.layout() == at::kStrided,
              "expected 'index' to be int64[k], got ", describeValue(index), " - make it of bigints");
  if (!index.is_meta() && index.size(0) > 0) {
    const int64_t rows = batch.size(0);
    TORCH_CHECK(!distinct || index.size(0) <= rows, "expected 'index' to list at most ", rows, " rows, got ",
                index.size(0), " - list each row once");
    const at::Tensor plain = index.detach().to(at::kCPU).contiguous();
    TORCH_CHECK(!plain._is_zerotensor(), "expected 'index' to have memory, got a constant zero - use zeros()");
    const int64_t* begin = plain.const_data_ptr<int64_t>();
    std::vector<int64_t> sorted(begin, begin + plain.numel());
    std::sort(sorted.begin(), sorted.end());
    const int64_t outside = sorted.front() < 0 ? sorted.front() : sorted.back();
    TORCH_CHECK(outside >= 0 && outside < rows, "expected 'index' from 0 to ", rows - 1, ", got ", outside,
                " - the batch has ", rows, " rows");
    const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
    TORCH_CHECK(!distinct || twice == sorted.end(), "expected distinct rows in 'index', got ",
                twice == sorted.end() ? 0 : *twice, " twice - list each row once");
  }
  return index.device() == batch.device() ? index : index.to(batch.device());
}

void checkJoin(const at::Tensor& shortcut, const at::Tensor& branch, int64_t rows, double scale) {
  checkBatch(shortcut, "shortcut");
  checkBatch(branch, "branch");
  for (const at::Tensor* each : {&shortcut, &branch}) {
    TORCH_CHECK(at::isFloatingType(each->scalar_type()) || at::isComplexType(each->scalar_type()),
                "expected floating point tensors, got ", describeValue(*each), " - convert with .to(dtype)");
  }
  TORCH_CHECK(shortcut.device() == branch.device(), "expected shortcut and branch on one device, got ",
              shortcut.device(), " and ", branch.device(), " - move one with .to(device)");
  at::DimVector wanted(shortcut.sizes());
  wanted[0] = rows;
  TORCH_CHECK(branch.sizes() == wanted, "expected a branch of shape ", at::IntArrayRef(wanted), ", got ", branch.sizes(),
              " - it has a row for each one kept, and the shortcut's other dimensions");
  TORCH_CHECK(std::isfinite(scale), "expected a finite scale, got ", scale, " - give a number such as 1 / (1 - drop)");
}

void checkRectified(const at::Tensor& shortcut, const at::Tensor& branch, Rectify rectify) {
  TORCH_CHECK(rectify == Rectify::none || (!shortcut.is_complex() && !branch.is_complex()),
              "expected real tensors to rectify, got complex ones - take rectify: 'none'");
}

// The same memory, and the same count of changes in place, but no view in the sense of autograd, which would add up the
// gradients of views in a batch of zeros each.
at::Tensor sharing(const at::Tensor& x, const at::Tensor& view) {
  return torch::autograd::make_variable_non_differentiable_view(x, view);
}

// Rows that are kept for a gradient are copied: a view of them would keep the whole batch in memory.
std::tuple<at::Tensor, at::Tensor> forkWindow(const at::Tensor& x, int64_t start, int64_t length) {
  checkBatch(x, "x");
  checkWindow(x.size(0), start, length);
  const bool isCopied = length < x.size(0) && at::GradMode::is_enabled();
  at::Tensor window;
  at::Tensor rest;
  {
    const at::AutoDispatchBelowADInplaceOrView below;
    const at::Tensor view = x.narrow(0, start, length);
    window = isCopied ? view.clone() : sharing(x, view);
    rest = sharing(x, x);
  }
  record<ForkWindowBackward>({window, rest}, std::tie(x), x, start);
  return {window, rest};
}

std::tuple<at::Tensor, at::Tensor> forkRows(const at::Tensor& x, const at::Tensor& index) {
  checkBatch(x, "x");
  const at::Tensor own = checkedIndex(index, x, false);
  at::Tensor rows;
  at::Tensor rest;
  {
    const at::AutoDispatchBelowADInplaceOrView below;
    rows = rowsAt(x, own);
    rest = sharing(x, x);
  }
  record<ForkRowsBackward>({rows, rest}, std::tie(x), x, own);
  return {rows, rest};
}

Rectify rectifyOf(c10::string_view word) {
  if (word == "none") return Rectify::none;
  if (word == "kept") return Rectify::kept;
  TORCH_CHECK(word == "all", "expected 'rectify' to be none, kept or all, got '", word, "' - kept rectifies the sums alone");
  return Rectify::all;
}

// Whether a gradient will ask what came through the relu.
bool isKept(const at::Tensor& shortcut, const at::Tensor& branch, Rectify rectify) {
  return rectify != Rectify::none && torch::autograd::compute_requires_grad(shortcut, branch);
}

}  // namespace

at::Tensor joinWindow(const at::Tensor& shortcut, const at::Tensor& branch, int64_t start, double scale,
                      c10::string_view rectify) {
  const int64_t length = branch.dim() == 0 ? 0 : branch.size(0);
  checkJoin(shortcut, branch, length, scale);
  checkWindow(shortcut.size(0), start, length);
  const Rectify relu = rectifyOf(rectify);
  checkRectified(shortcut, branch, relu);
  at::Tensor sum;
  at::Tensor passed;
  {
    const at::AutoDispatchBelowADInplaceOrView below;
    sum = addWindow(shortcut, branch, start, scale, relu, isKept(shortcut, branch, relu) ? &passed : nullptr);
  }
  auto* node = record<JoinWindowBackward>({sum}, std::tie(shortcut, branch), shortcut, branch, start, scale, relu);
  if (node != nullptr) node->keep(sum, passed);
  return sum;
}

namespace {

at::Tensor joinRows(const at::Tensor& shortcut, const at::Tensor& branch, const at::Tensor& index, double scale,
                    c10::string_view rectify) {
  checkBatch(shortcut, "shortcut");
  const at::Tensor own = checkedIndex(index, shortcut, true);
  checkJoin(shortcut, branch, own.size(0), scale);
  const Rectify relu = rectifyOf(rectify);
  checkRectified(shortcut, branch, relu);
  at::Tensor sum;
  at::Tensor passed;
  {
    const at::AutoDispatchBelowADInplaceOrView below;
    sum = addRows(shortcut, branch, own, scale, relu, isKept(shortcut, branch, relu) ? &passed : nullptr);
  }
  auto* node = record<JoinRowsBackward>({sum}, std::tie(shortcut, branch), shortcut, branch, own, scale, relu);
  if (node != nullptr) node->keep(sum, passed);
  return sum;
}

at::Tensor joinMask(const at::Tensor& shortcut, const at::Tensor& branch, const at::Tensor& keep, double scale) {
  checkBatch(shortcut, "shortcut");
  const int64_t rows = shortcut.size(0);
  TORCH_CHECK(keep.scalar_type() == at::kBool && keep.dim() == 1 && keep.size(0) == rows && keep.layout() == at::kStrided,
              "expected 'keep' to be bool[", rows, "], got ", describeValue(keep), " - give one flag a row");
  checkJoin(shortcut, branch, rows, scale);
  const at::Tensor own = keep.device() == shortcut.device() ? keep : keep.to(shortcut.device());
  at::Tensor sum;
  {
    const at::AutoDispatchBelowADInplaceOrView below;
    sum = addMasked(shortcut, branch, own, scale);
  }
  record<JoinMaskBackward>({sum}, std::tie(shortcut, branch), shortcut, branch, own, scale);
  return sum;
}

void define(torch::Library& library) {
  defineWithGradient(library, "fork_window(Tensor(a) x, int start, int length) -> (Tensor(a), Tensor(a))",
                     "fork_window", TORCH_FN(forkWindow));
  defineWithGradient(library, "fork_rows(Tensor(a) x, Tensor index) -> (Tensor, Tensor(a))",
                     "fork_rows", TORCH_FN(forkRows));
  defineWithGradient(library, "join_window(Tensor shortcut, Tensor branch, int start, float scale, *, str rectify=\"none\") -> Tensor",
                     "join_window", TORCH_FN(joinWindow));
  defineWithGradient(library, "join_rows(Tensor shortcut, Tensor branch, Tensor index, float scale, *, str rectify=\"none\") -> Tensor",
                     "join_rows", TORCH_FN(joinRows));
  defineWithGradient(library, "join_mask(Tensor shortcut, Tensor branch, Tensor keep, float scale) -> Tensor",
                     "join_mask", TORCH_FN(joinMask));
}

}  // namespace

void registerResidual() {
  defineOnce("shallows::join_mask", define);
}

}  // namespace shallows
