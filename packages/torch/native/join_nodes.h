// The gradients of joins: a batch with the result of a branch added to some of its rows.
#pragma once

#include <ATen/ATen.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <optional>
#include <string>

#include "node.h"
#include "rows.h"

namespace shallows {

// What the gradient of a relu behind a join needs: which elements came through it, a bit each, where the loops of our own
// take the sum; elsewhere the sum itself. With bits nothing keeps the whole sum of a join over some rows alive: the next
// branch holds its own rows alone.
class JoinRelu {
 public:
  JoinRelu() = default;
  // `passed`: the bits of `sum`, or undefined where the sum has to be kept.
  JoinRelu(const at::Tensor& sum, const at::Tensor& passed);

  void release() { kept_.reset_data(); }
  // The bits for a gradient of the sum, which is brought into its order in memory; undefined where only `cut` can tell.
  at::Tensor bitsFor(at::Tensor& gradient) const;
  // Where a gradient is cut off: bool, in the shape of the sum. In rows that no relu was for, anything.
  at::Tensor cut(const NodePointer& owner) const;

 private:
  torch::autograd::SavedVariable kept_;
  bool isBits_ = false;
  at::DimVector sizes_;
  at::TensorOptions options_;
  at::MemoryFormat format_ = at::MemoryFormat::Contiguous;
};

// The gradient of a join's shortcut is that of the sum itself, without a copy; behind a relu, in place where nobody else
// holds it.
class Join : public torch::autograd::Node {
 public:
  Join(const at::Tensor& shortcut, const at::Tensor& branch, double scale, Rectify rectify)
      : shortcutType_(shortcut.scalar_type()), branchType_(branch.scalar_type()), scale_(scale), rectify_(rectify) {}

  // What the relu needs of its result.
  void keep(const at::Tensor& sum, const at::Tensor& passed) {
    if (rectify_ != Rectify::none) relu_ = JoinRelu(sum, passed);
  }
  void release_variables() override { relu_.release(); }
  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) final;

 private:
  // Which rows of a batch the branch has, for the loops of our own; none where these cannot tell.
  virtual std::optional<RowMap> mapOf(const at::Tensor& batch) const = 0;
  // Those rows, one for each of the branch. Can be differentiated.
  virtual at::Tensor rowsOf(const at::Tensor& batch) const = 0;
  // Writes them.
  virtual void put(const at::Tensor& batch, const at::Tensor& rows) const = 0;
  virtual int64_t count() const = 0;
  // Whether row i of the branch belongs to row i of the batch, for all of them.
  virtual bool isWhole(const at::Tensor& batch) const = 0;

  at::Tensor throughRelu(const at::Tensor& gradient);

  const c10::ScalarType shortcutType_;
  const c10::ScalarType branchType_;
  const double scale_;
  const Rectify rectify_;
  JoinRelu relu_;
};

class JoinWindowBackward final : public Join {
 public:
  JoinWindowBackward(const at::Tensor& shortcut, const at::Tensor& branch, int64_t start, double scale, Rectify rectify)
      : Join(shortcut, branch, scale, rectify), start_(start), length_(branch.size(0)) {}
  std::string name() const override { return "JoinWindowBackward"; }

 private:
  std::optional<RowMap> mapOf(const at::Tensor&) const override { return RowMap(start_, length_); }
  at::Tensor rowsOf(const at::Tensor& batch) const override { return batch.narrow(0, start_, length_); }
  void put(const at::Tensor& batch, const at::Tensor& rows) const override { rowsOf(batch).copy_(rows); }
  int64_t count() const override { return length_; }
  bool isWhole(const at::Tensor& batch) const override { return start_ == 0 && length_ == batch.size(0); }

  const int64_t start_;
  const int64_t length_;
};

class JoinRowsBackward final : public Join {
 public:
  JoinRowsBackward(const at::Tensor& shortcut, const at::Tensor& branch, const at::Tensor& index, double scale,
                   Rectify rectify)
      : Join(shortcut, branch, scale, rectify), index_(index, false) {}
  std::string name() const override { return "JoinRowsBackward"; }
  void release_variables() override {
    Join::release_variables();
    index_.reset_data();
  }

 private:
  std::optional<RowMap> mapOf(const at::Tensor& batch) const override;
  at::Tensor rowsOf(const at::Tensor& batch) const override { return rowsAt(batch, index_.unpack()); }
  void put(const at::Tensor& batch, const at::Tensor& rows) const override { batch.index_copy_(0, index_.unpack(), rows); }
  int64_t count() const override { return index_.unpack().size(0); }
  bool isWhole(const at::Tensor&) const override { return false; }

  torch::autograd::SavedVariable index_;
};

class JoinMaskBackward final : public torch::autograd::Node {
 public:
  JoinMaskBackward(const at::Tensor& shortcut, const at::Tensor& branch, const at::Tensor& keep, double scale)
      : shortcutType_(shortcut.scalar_type()), branchType_(branch.scalar_type()), scale_(scale), keep_(keep, false) {}
  std::string name() const override { return "JoinMaskBackward"; }
  void release_variables() override { keep_.reset_data(); }
  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override;

 private:
  const c10::ScalarType shortcutType_;
  const c10::ScalarType branchType_;
  const double scale_;
  torch::autograd::SavedVariable keep_;
};

}  // namespace shallows
