// Batch normalisation of dense batches [N, C, …], with the relu that follows in the same loops.
#pragma once

#include <ATen/ATen.h>

namespace shallows {

// Tensors [C], of the dtype of the batch.
struct ChannelStats {
  at::Tensor mean;
  // 1 / √(σ² + ε), σ² biased.
  at::Tensor inverse;
  // The unbiased σ².
  at::Tensor variance;
};

// Whether the loops take a tensor: float32 or float64 of the CPU, row-major with enough elements side by side in a channel, or
// with the channels side by side.
bool hasBatchNormKernel(const at::Tensor& x);

// y = weight · (x − μ) / √(σ² + ε) + bias, with μ and σ² of the batch, rectified where said. Sums of up to 8,192 elements are
// formed in the dtype, some of them side by side, sums of those in float64.
ChannelStats batchNormKernel(const at::Tensor& y, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                             double eps, bool relu);

// The gradients of that for the gradient of y: dx may be the memory of `gradient`, or undefined where nobody wants it.
void batchNormBackwardKernel(const at::Tensor& dx, const at::Tensor& dWeight, const at::Tensor& dBias,
                             const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& weight,
                             const at::Tensor& bias, const at::Tensor& mean, const at::Tensor& inverse, bool relu);

}  // namespace shallows
