#include "batch_norm_kernels.h"

#include <ATen/Dispatch.h>

#include "batch_norm_layouts.h"

namespace shallows {
namespace {

bool isColumns(const at::Tensor& x) {
  return x.dim() == 2 ? x.is_contiguous() : x.dim() == 4 && x.is_contiguous(at::MemoryFormat::ChannelsLast);
}

bool isPlanes(const at::Tensor& x) {
  // Below this many neighbours libtorch's own loops, which go along the channels, are as fast.
  constexpr int64_t kFewest = 16;
  return x.is_contiguous() && x.numel() / (x.size(0) * x.size(1)) >= kFewest;
}

Planes planesOf(const at::Tensor& x) { return {x.size(0), x.size(1), x.numel() / (x.size(0) * x.size(1))}; }
Columns columnsOf(const at::Tensor& x) { return {x.numel() / x.size(1), x.size(1)}; }

}  // namespace

bool hasBatchNormKernel(const at::Tensor& x) {
  return x.is_cpu() && x.layout() == at::kStrided && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble) &&
         x.dim() >= 2 && x.has_storage() && !x._is_zerotensor() && !x.is_neg() && x.numel() > 0 &&
         (isPlanes(x) || isColumns(x));
}

ChannelStats batchNormKernel(const at::Tensor& y, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                             double eps, bool relu) {
  const auto channels = [&] { return at::empty({x.size(1)}, x.options()); };
  const ChannelStats stats{channels(), channels(), channels()};
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "batch_norm", [&] {
    using T = scalar_t;
    const BatchNormForward<T> job{y.mutable_data_ptr<T>(),
                                  x.const_data_ptr<T>(),
                                  weight.const_data_ptr<T>(),
                                  bias.const_data_ptr<T>(),
                                  eps,
                                  relu,
                                  stats.mean.mutable_data_ptr<T>(),
                                  stats.inverse.mutable_data_ptr<T>(),
                                  stats.variance.mutable_data_ptr<T>()};
    if (isPlanes(x)) {
      forwardPlanes(job, planesOf(x));
    } else {
      forwardColumns(job, columnsOf(x));
    }
  });
  return stats;
}

void batchNormBackwardKernel(const at::Tensor& dx, const at::Tensor& dWeight, const at::Tensor& dBias,
                             const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& weight,
                             const at::Tensor& bias, const at::Tensor& mean, const at::Tensor& inverse, bool relu) {
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "batch_norm_backward", [&] {
    using T = scalar_t;
    const BatchNormBackward<T> job{dx.defined() ? dx.mutable_data_ptr<T>() : nullptr,
                                   dWeight.mutable_data_ptr<T>(),
                                   dBias.mutable_data_ptr<T>(),
                                   gradient.const_data_ptr<T>(),
                                   x.const_data_ptr<T>(),
                                   weight.const_data_ptr<T>(),
                                   bias.const_data_ptr<T>(),
                                   mean.const_data_ptr<T>(),
                                   inverse.const_data_ptr<T>(),
                                   relu};
    if (isPlanes(x)) {
      backwardPlanes(job, planesOf(x));
    } else {
      backwardColumns(job, columnsOf(x));
    }
  });
}

}  // namespace shallows
