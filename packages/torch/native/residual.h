// Operators for residual branches that run on part of a batch, in libtorch's dispatcher under `shallows::`.
#pragma once

#include <ATen/ATen.h>

namespace shallows {

// Adds them, once a process.
void registerResidual();

// shortcut, with scale · branch added to the rows from `start`, and a relu behind as `rectify` says. Can be differentiated.
at::Tensor joinWindow(const at::Tensor& shortcut, const at::Tensor& branch, int64_t start, double scale,
                      c10::string_view rectify);

}  // namespace shallows
