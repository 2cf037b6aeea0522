// Sums in which a branch takes part for some rows of a batch only. No gradients here; `residual.cc` adds them.
#pragma once

#include <ATen/ATen.h>

#include "join_kernels.h"

namespace shallows {

// A new tensor with the shortcut's memory format: shortcut, and + scale · branch in rows [start, start + branch rows).
// Each element is written once. A relu follows in the rows that `rectify` says; where `passed` is given and the sum has loops
// of our own, it becomes the bits of what came through.
at::Tensor addWindow(const at::Tensor& shortcut, const at::Tensor& branch, int64_t start, double scale, Rectify rectify,
                     at::Tensor* passed);
// The same in the rows that `index` lists, each at most once.
at::Tensor addRows(const at::Tensor& shortcut, const at::Tensor& branch, const at::Tensor& index, double scale,
                   Rectify rectify, at::Tensor* passed);
// The same in the rows where `keep` is true, for a branch with all rows: what it has in others is not looked at.
at::Tensor addMasked(const at::Tensor& shortcut, const at::Tensor& branch, const at::Tensor& keep, double scale);

// The rows that `index` lists. Can be differentiated.
at::Tensor rowsAt(const at::Tensor& x, const at::Tensor& index);
// The rows where `keep` is true, and zeros. Can be differentiated.
at::Tensor keptRows(const at::Tensor& x, const at::Tensor& keep);
// scale · gradient in a dtype, the product rounded once. Can be differentiated.
at::Tensor scaled(const at::Tensor& gradient, double scale, c10::ScalarType type);
// The order in memory of a batch that is dense in one.
at::MemoryFormat orderOf(const at::Tensor& batch);
// Whether nobody else can see it when this tensor is written in place.
bool isUnshared(const at::Tensor& tensor);

}  // namespace shallows
