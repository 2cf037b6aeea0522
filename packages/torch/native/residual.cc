#include "residual.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <optional>

#include "frame.h"
#include "library.h"
#include "node.h"
#include "rows.h"

namespace shallows {
namespace {

using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

at::Tensor joinWindow(const at::Tensor& shortcut, const at::Tensor& branch, int64_t start, double scale,
                      c10::string_view rectify);

// What a batch looks like, for the gradient of one whose only gradient is that of some rows.
struct BatchShape {
  explicit BatchShape(const at::Tensor& x) : sizes(x.sizes()), format(x.suggest_memory_format()) {}
  at::Tensor zeros(const at::Tensor& like) const { return at::zeros(sizes, like.options().memory_format(format)); }

  at::DimVector sizes;
  at::MemoryFormat format;
};

// The gradient of a fork is that of the whole batch with that of the rows added into it. It is written in place where
// nobody else holds it, so that no batch of zeros is made to pad the rows, and usually no copy.
struct ForkWindowBackward final : torch::autograd::Node {
  ForkWindowBackward(const at::Tensor& x, int64_t start) : batch(x), start(start) {}
  std::string name() const override { return "ForkWindowBackward"; }

  variable_list apply(variable_list&& gradients) override {
    const at::Tensor window = std::move(gradients[0]);
    at::Tensor rest = std::move(gradients[1]);
    if (!window.defined()) return {rest};
    if (!rest.defined()) rest = batch.zeros(window);
    if (!isUnshared(rest)) return {joinWindow(rest, window, start, 1, "none")};
    rest.narrow(0, start, window.size(0)).add_(window);
    return {rest};
  }

  const BatchShape batch;
  const int64_t start;
};

struct ForkRowsBackward final : torch::autograd::Node {
  ForkRowsBackward(const at::Tensor& x, const at::Tensor& index) : batch(x), index(index, false) {}
  std::string name() const override { return "ForkRowsBackward"; }
  void release_variables() override { index.reset_data(); }

  variable_list apply(variable_list&& gradients) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    const at::Tensor rows = std::move(gradients[0]);
    at::Tensor rest = std::move(gradients[1]);
    if (!rows.defined()) return {rest};
    if (!rest.defined()) rest = batch.zeros(rows);
    if (!isUnshared(rest)) return {rest.index_add(0, index.unpack(), rows)};
    rest.index_add_(0, index.unpack(), rows);
    return {rest};
  }

  const BatchShape batch;
  SavedVariable index;
};

// Memory for some rows like those of a batch, in its order.
at::Tensor emptyRows(const at::Tensor& batch, int64_t count) {
  at::DimVector sizes(batch.sizes());
  sizes[0] = count;
  const auto format = batch.is_contiguous() ? at::MemoryFormat::Contiguous : at::MemoryFormat::ChannelsLast;
  return at::empty(sizes, batch.options().memory_format(format));
}

// Whether two tensors differ in the order of their memory at most.
bool isPlainLike(const at::Tensor& x, const at::Tensor& other) {
  return x.layout() == at::kStrided && x.device() == other.device() && x.scalar_type() == other.scalar_type() &&
         x.sizes() == other.sizes();
}

// The gradient of a join's shortcut is that of the sum itself, without a copy; behind a relu, in place where nobody else
// holds it.
struct Join : torch::autograd::Node {
  Join(const at::Tensor& shortcut, const at::Tensor& branch, double scale, Rectify rectify = Rectify::none)
      : shortcutType(shortcut.scalar_type()), branchType(branch.scalar_type()), scale(scale), rectify(rectify) {}

  // What the relu needs of its result.
  void keep(const at::Tensor& sum) {
    if (rectify != Rectify::none) result = SavedVariable(sum, true);
  }

  void release_variables() override { result.reset_data(); }

  // `rows` of a batch, `count` of them, one for each row of the branch; `map` says which is which.
  template <typename Rows, typename Map>
  variable_list split(variable_list&& gradients, int64_t count, Rows rows, Map map) {
    at::Tensor gradient = std::move(gradients[0]);
    if (!gradient.defined()) return {at::Tensor(), at::Tensor()};
    const bool wanted = task_should_compute_output(1);
    const at::Tensor sum = rectify == Rectify::none ? at::Tensor() : result.unpack(getptr());
    const bool plain = rectify == Rectify::none && (!wanted || scale == 1);
    // One that comes in another order would take all below out of that of the batch.
    if (sum.defined() && !at::GradMode::is_enabled() && hasKernels(sum, sum) && !hasKernels(gradient, sum) &&
        isPlainLike(gradient, sum))
      gradient = at::empty_like(sum).copy_(gradient);
    if (!plain && !at::GradMode::is_enabled() && hasKernels(gradient, sum.defined() ? sum : gradient) &&
        shortcutType == gradient.scalar_type() && branchType == gradient.scalar_type()) {
      if (const std::optional<RowMap> found = map(gradient)) {
        if (rectify != Rectify::none && !isUnshared(gradient)) gradient = gradient.clone();
        // Where the branch has every row, in its place and unscaled, the two gradients are one.
        const bool same = wanted && scale == 1 && isWhole(gradient);
        const at::Tensor branch = wanted && !same ? emptyRows(gradient, count) : at::Tensor();
        splitRowsKernel(gradient, branch, sum, *found, scale, rectify);
        return {gradient, same ? gradient : branch};
      }
    }
    if (rectify != Rectify::none) gradient = throughRelu(gradient, sum, rows);
    return {gradient.to(shortcutType), wanted ? scaled(rows(gradient), scale, branchType) : at::Tensor()};
  }

  const c10::ScalarType shortcutType;
  const c10::ScalarType branchType;
  const double scale;
  const Rectify rectify;
  SavedVariable result;

 private:
  // The gradient before the relu, for tensors that have no loop of their own, and to be differentiated again.
  template <typename Rows>
  at::Tensor throughRelu(const at::Tensor& gradient, const at::Tensor& sum, Rows rows) const {
    at::Tensor cut = sum.detach().le(0);
    if (rectify == Rectify::kept) {
      at::Tensor dropped = at::ones_like(cut);
      put(dropped, at::zeros_like(rows(cut)));
      cut = cut.logical_and(dropped.logical_not());
    }
    return gradient.masked_fill(cut, 0);
  }

  // Whether row i of the branch belongs to row i of the batch, for all of them.
  virtual bool isWhole(const at::Tensor&) const { return false; }

  // Writes the rows of the branch.
  virtual void put(const at::Tensor& batch, const at::Tensor& rows) const = 0;
};

struct JoinWindowBackward final : Join {
  JoinWindowBackward(const at::Tensor& shortcut, const at::Tensor& branch, int64_t start, double scale, Rectify rectify)
      : Join(shortcut, branch, scale, rectify), start(start), length(branch.size(0)) {}
  std::string name() const override { return "JoinWindowBackward"; }

  variable_list apply(variable_list&& gradients) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return split(
        std::move(gradients), length, [&](const at::Tensor& all) { return all.narrow(0, start, length); },
        [&](const at::Tensor&) { return std::optional<RowMap>(RowMap(start, length)); });
  }

  const int64_t start;
  const int64_t length;

 private:
  bool isWhole(const at::Tensor& batch) const override { return start == 0 && length == batch.size(0); }
  void put(const at::Tensor& batch, const at::Tensor& rows) const override { batch.narrow(0, start, length).copy_(rows); }
};

struct JoinRowsBackward final : Join {
  JoinRowsBackward(const at::Tensor& shortcut, const at::Tensor& branch, const at::Tensor& index, double scale,
                   Rectify rectify)
      : Join(shortcut, branch, scale, rectify), index(index, false) {}
  std::string name() const override { return "JoinRowsBackward"; }
  void release_variables() override {
    Join::release_variables();
    index.reset_data();
  }

  variable_list apply(variable_list&& gradients) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    const at::Tensor list = index.unpack();
    return split(
        std::move(gradients), list.size(0), [&](const at::Tensor& all) { return rowsAt(all, list); },
        [&](const at::Tensor& all) {
          return list.is_cpu() ? std::optional<RowMap>(RowMap(list, all.size(0))) : std::nullopt;
        });
  }

  SavedVariable index;

 private:
  void put(const at::Tensor& batch, const at::Tensor& rows) const override { batch.index_copy_(0, index.unpack(), rows); }
};

struct JoinMaskBackward final : torch::autograd::Node {
  JoinMaskBackward(const at::Tensor& shortcut, const at::Tensor& branch, const at::Tensor& keep, double scale)
      : shortcutType(shortcut.scalar_type()), branchType(branch.scalar_type()), scale(scale), keep(keep, false) {}
  std::string name() const override { return "JoinMaskBackward"; }
  void release_variables() override { keep.reset_data(); }

  variable_list apply(variable_list&& gradients) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    const at::Tensor gradient = std::move(gradients[0]);
    if (!gradient.defined()) return {at::Tensor(), at::Tensor()};
    at::Tensor branch;
    if (task_should_compute_output(1)) branch = keptRows(scaled(gradient, scale, branchType), keep.unpack());
    return {gradient.to(shortcutType), branch};
  }

  const c10::ScalarType shortcutType;
  const c10::ScalarType branchType;
  const double scale;
  SavedVariable keep;
};

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

std::tuple<at::Tensor, at::Tensor> forkWindow(const at::Tensor& x, int64_t start, int64_t length) {
  checkBatch(x, "x");
  checkWindow(x.size(0), start, length);
  at::Tensor window;
  at::Tensor rest;
  {
    const at::AutoDispatchBelowADInplaceOrView below;
    window = sharing(x, x.narrow(0, start, length));
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

at::Tensor joinWindow(const at::Tensor& shortcut, const at::Tensor& branch, int64_t start, double scale,
                      c10::string_view rectify) {
  const int64_t length = branch.dim() == 0 ? 0 : branch.size(0);
  checkJoin(shortcut, branch, length, scale);
  checkWindow(shortcut.size(0), start, length);
  const Rectify relu = rectifyOf(rectify);
  checkRectified(shortcut, branch, relu);
  at::Tensor sum;
  {
    const at::AutoDispatchBelowADInplaceOrView below;
    sum = addWindow(shortcut, branch, start, scale, relu);
  }
  auto* node = record<JoinWindowBackward>({sum}, std::tie(shortcut, branch), shortcut, branch, start, scale, relu);
  if (node != nullptr) node->keep(sum);
  return sum;
}

at::Tensor joinRows(const at::Tensor& shortcut, const at::Tensor& branch, const at::Tensor& index, double scale,
                    c10::string_view rectify) {
  checkBatch(shortcut, "shortcut");
  const at::Tensor own = checkedIndex(index, shortcut, true);
  checkJoin(shortcut, branch, own.size(0), scale);
  const Rectify relu = rectifyOf(rectify);
  checkRectified(shortcut, branch, relu);
  at::Tensor sum;
  {
    const at::AutoDispatchBelowADInplaceOrView below;
    sum = addRows(shortcut, branch, own, scale, relu);
  }
  auto* node = record<JoinRowsBackward>({sum}, std::tie(shortcut, branch), shortcut, branch, own, scale, relu);
  if (node != nullptr) node->keep(sum);
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
