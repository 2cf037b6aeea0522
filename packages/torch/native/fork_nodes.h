// The gradients of forks: a batch, and some of its rows beside it.
#pragma once

#include <ATen/ATen.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <string>

#include "node.h"

namespace shallows {

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
  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override;

  const BatchShape batch;
  const int64_t start;
};

struct ForkRowsBackward final : torch::autograd::Node {
  ForkRowsBackward(const at::Tensor& x, const at::Tensor& index) : batch(x), index(index, false) {}
  std::string name() const override { return "ForkRowsBackward"; }
  void release_variables() override { index.reset_data(); }
  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override;

  const BatchShape batch;
  torch::autograd::SavedVariable index;
};

}  // namespace shallows
