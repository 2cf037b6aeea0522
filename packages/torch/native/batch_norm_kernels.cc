#include "batch_norm_kernels.h"

#include <ATen/Dispatch.h>

#include <cmath>

#include "loops.h"

namespace shallows {
namespace {

// Tells the compiler that a loop may write where it reads, as long as it is the same element.
#if defined(__GNUC__) && !defined(__clang__)
#define SHALLOWS_IN_PLACE _Pragma("GCC ivdep")
#elif defined(__clang__)
#define SHALLOWS_IN_PLACE _Pragma("clang loop vectorize(assume_safety)")
#else
#define SHALLOWS_IN_PLACE
#endif

// Elements whose sum is formed in the dtype itself, and the partial sums that a wide processor forms side by side.
constexpr int64_t kChunk = 1024;
constexpr int64_t kLanes = 16;

// y = (x − mean) · scale + bias: a mean far from zero does not cancel against the bias.
template <typename T>
struct Forward {
  T mean;
  T scale;
  T bias;
};

// dx = (g − mean of g − (x − μ) · slope) · factor
template <typename T>
struct Backward {
  T gradientMean;
  T slope;
  T factor;
};

template <typename T>
struct Sums {
  T first;
  T second;
};

template <typename T>
struct Loops {
  T (*sum)(const T* x, int64_t n);
  Sums<T> (*deviations)(const T* x, T from, int64_t n);
  void (*normalise)(T* y, const T* x, Forward<T> by, int64_t n);
  void (*normaliseRelu)(T* y, const T* x, Forward<T> by, int64_t n);
  Sums<T> (*gradientSums)(const T* g, const T* x, T mean, int64_t n);
  Sums<T> (*gradientSumsRelu)(const T* g, const T* x, Forward<T> by, int64_t n);
  void (*gradient)(T* dx, const T* g, const T* x, Backward<T> by, Forward<T> forward, int64_t n);
  void (*gradientRelu)(T* dx, const T* g, const T* x, Backward<T> by, Forward<T> forward, int64_t n);
};

// Sums go lane by lane, in an order that is fixed and that a wide processor takes side by side. Roundings are written out, so
// that the loops with and without the relu give the same bits, and the backward pass finds again what the relu cut.
#define SHALLOWS_LOOPS(NAME, TARGET, MULTIPLY_ADD)                                                                     \
  template <typename T>                                                                                                \
  struct NAME {                                                                                                        \
    using Lanes = T[kLanes];                                                                                           \
    TARGET static T total(const Lanes& lanes) {                                                                        \
      T all = 0;                                                                                                       \
      for (int64_t lane = 0; lane < kLanes; lane++) all += lanes[lane];                                                \
      return all;                                                                                                      \
    }                                                                                                                  \
    TARGET static T sum(const T* __restrict x, int64_t n) {                                                            \
      Lanes lanes = {};                                                                                                \
      int64_t i = 0;                                                                                                   \
      for (; i + kLanes <= n; i += kLanes)                                                                             \
        for (int64_t lane = 0; lane < kLanes; lane++) lanes[lane] += x[i + lane];                                      \
      for (int64_t lane = 0; i < n; i++, lane++) lanes[lane] += x[i];                                                  \
      return total(lanes);                                                                                             \
    }                                                                                                                  \
    TARGET static Sums<T> deviations(const T* __restrict x, T from, int64_t n) {                                       \
      Lanes first = {}, second = {};                                                                                   \
      int64_t i = 0;                                                                                                   \
      for (; i + kLanes <= n; i += kLanes)                                                                             \
        for (int64_t lane = 0; lane < kLanes; lane++) {                                                                \
          const T apart = x[i + lane] - from;                                                                          \
          first[lane] += apart;                                                                                        \
          second[lane] = MULTIPLY_ADD(apart, apart, second[lane]);                                                     \
        }                                                                                                              \
      for (int64_t lane = 0; i < n; i++, lane++) {                                                                     \
        first[lane] += x[i] - from;                                                                                    \
        second[lane] = MULTIPLY_ADD(x[i] - from, x[i] - from, second[lane]);                                           \
      }                                                                                                                \
      return {total(first), total(second)};                                                                            \
    }                                                                                                                  \
    TARGET static void normalise(T* __restrict y, const T* __restrict x, Forward<T> by, int64_t n) {                   \
      for (int64_t i = 0; i < n; i++) y[i] = MULTIPLY_ADD(x[i] - by.mean, by.scale, by.bias);                          \
    }                                                                                                                  \
    TARGET static void normaliseRelu(T* __restrict y, const T* __restrict x, Forward<T> by, int64_t n) {               \
      for (int64_t i = 0; i < n; i++) {                                                                                \
        const T each = MULTIPLY_ADD(x[i] - by.mean, by.scale, by.bias);                                                \
        y[i] = each < 0 ? T(0) : each;                                                                                 \
      }                                                                                                                \
    }                                                                                                                  \
    TARGET static Sums<T> gradientSums(const T* __restrict g, const T* __restrict x, T mean, int64_t n) {              \
      Lanes first = {}, second = {};                                                                                   \
      int64_t i = 0;                                                                                                   \
      for (; i + kLanes <= n; i += kLanes)                                                                             \
        for (int64_t lane = 0; lane < kLanes; lane++) {                                                                \
          first[lane] += g[i + lane];                                                                                  \
          second[lane] = MULTIPLY_ADD(g[i + lane], x[i + lane] - mean, second[lane]);                                  \
        }                                                                                                              \
      for (int64_t lane = 0; i < n; i++, lane++) {                                                                     \
        first[lane] += g[i];                                                                                           \
        second[lane] = MULTIPLY_ADD(g[i], x[i] - mean, second[lane]);                                                  \
      }                                                                                                                \
      return {total(first), total(second)};                                                                            \
    }                                                                                                                  \
    TARGET static Sums<T> gradientSumsRelu(const T* __restrict g, const T* __restrict x, Forward<T> by, int64_t n) {   \
      Lanes first = {}, second = {};                                                                                   \
      int64_t i = 0;                                                                                                   \
      for (; i + kLanes <= n; i += kLanes)                                                                             \
        for (int64_t lane = 0; lane < kLanes; lane++) {                                                                \
          const T apart = x[i + lane] - by.mean, y = MULTIPLY_ADD(apart, by.scale, by.bias);                           \
          const T kept = y <= 0 ? T(0) : g[i + lane];                                                                  \
          first[lane] += kept;                                                                                         \
          second[lane] = MULTIPLY_ADD(kept, apart, second[lane]);                                                      \
        }                                                                                                              \
      for (int64_t lane = 0; i < n; i++, lane++) {                                                                     \
        const T y = MULTIPLY_ADD(x[i] - by.mean, by.scale, by.bias);                                                   \
        const T kept = y <= 0 ? T(0) : g[i];                                                                           \
        first[lane] += kept;                                                                                           \
        second[lane] = MULTIPLY_ADD(kept, x[i] - by.mean, second[lane]);                                               \
      }                                                                                                                \
      return {total(first), total(second)};                                                                            \
    }                                                                                                                  \
    /* dx and g may be one: each element is read before it is written. */                                              \
    TARGET static void gradient(T* dx, const T* g, const T* __restrict x, Backward<T> by, Forward<T> forward,          \
                                int64_t n) {                                                                           \
      SHALLOWS_IN_PLACE                                                                                                \
      for (int64_t i = 0; i < n; i++) dx[i] = MULTIPLY_ADD(forward.mean - x[i], by.slope, g[i] - by.gradientMean) * by.factor; \
    }                                                                                                                  \
    TARGET static void gradientRelu(T* dx, const T* g, const T* __restrict x, Backward<T> by, Forward<T> forward,      \
                                    int64_t n) {                                                                       \
      SHALLOWS_IN_PLACE                                                                                                \
      for (int64_t i = 0; i < n; i++) {                                                                                \
        const T y = MULTIPLY_ADD(x[i] - forward.mean, forward.scale, forward.bias);                                    \
        const T kept = y <= 0 ? T(0) : g[i];                                                                           \
        dx[i] = MULTIPLY_ADD(forward.mean - x[i], by.slope, kept - by.gradientMean) * by.factor;                       \
      }                                                                                                                \
    }                                                                                                                  \
    static constexpr Loops<T> all{sum,          deviations,       normalise, normaliseRelu,                            \
                                  gradientSums, gradientSumsRelu, gradient,  gradientRelu};                            \
  };

#ifdef SHALLOWS_X86
#define SHALLOWS_TWICE(A, B, C) ((A) * (B) + (C))
SHALLOWS_LOOPS(PlainLoops, , SHALLOWS_TWICE)
SHALLOWS_LOOPS(WideLoops, SHALLOWS_WIDE, std::fma)
#else
SHALLOWS_LOOPS(PlainLoops, , std::fma)
#endif

template <typename T>
const Loops<T>& loopsOf() {
#ifdef SHALLOWS_X86
  if (isWide()) return WideLoops<T>::all;
#endif
  return PlainLoops<T>::all;
}

// A batch [N, C, …] as stretches of neighbours: plane (n, c) starts at (n · C + c) · size.
struct Planes {
  explicit Planes(const at::Tensor& x)
      : rows(x.size(0)), channels(x.size(1)), size(rows * channels == 0 ? 0 : x.numel() / (rows * channels)) {}

  // Calls f(offset, n) for the stretches of a channel, of at most kChunk elements.
  template <typename F>
  void forChannel(int64_t channel, F f) const {
    for (int64_t row = 0; row < rows; row++) {
      const int64_t start = (row * channels + channel) * size;
      for (int64_t at = 0; at < size; at += kChunk) f(start + at, std::min(kChunk, size - at));
    }
  }

  const int64_t rows;
  const int64_t channels;
  const int64_t size;
};

// Mean and squared deviations of all that was added, in float64 (Chan, Golub and LeVeque 1979).
struct Moments {
  double count = 0;
  double mean = 0;
  double squares = 0;

  void add(double n, double theirMean, double theirSquares) {
    const double all = count + n, apart = theirMean - mean;
    mean += apart * n / all;
    squares += theirSquares + apart * apart * count * n / all;
    count = all;
  }
};

template <typename T>
void forward(const at::Tensor& y, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, double eps,
             bool relu, const ChannelStats& stats) {
  const Planes planes(x);
  const Loops<T>& loops = loopsOf<T>();
  const T* from = x.const_data_ptr<T>();
  T* to = y.mutable_data_ptr<T>();
  const T *gamma = weight.const_data_ptr<T>(), *beta = bias.const_data_ptr<T>();
  T *means = stats.mean.mutable_data_ptr<T>(), *inverses = stats.inverse.mutable_data_ptr<T>();
  T* variances = stats.variance.mutable_data_ptr<T>();
  forEach(planes.channels, planes.rows * planes.size, [&](int64_t channel) {
    Moments moments;
    planes.forChannel(channel, [&](int64_t at, int64_t n) {
      // The mean is rounded, and what it is off by is found with the squares.
      const T around = loops.sum(from + at, n) / static_cast<T>(n);
      const Sums<T> sums = loops.deviations(from + at, around, n);
      const double count = static_cast<double>(n), off = sums.first / count;
      moments.add(count, around + off, sums.second - off * off * count);
    });
    const T mean = static_cast<T>(moments.mean);
    const T inverse = static_cast<T>(1 / std::sqrt(moments.squares / moments.count + eps));
    means[channel] = mean;
    inverses[channel] = inverse;
    variances[channel] = static_cast<T>(moments.squares / (moments.count - 1));
    const Forward<T> by{mean, inverse * gamma[channel], beta[channel]};
    const auto write = relu ? loops.normaliseRelu : loops.normalise;
    planes.forChannel(channel, [&](int64_t at, int64_t n) { write(to + at, from + at, by, n); });
  });
}

template <typename T>
void backward(const at::Tensor& dx, const at::Tensor& dWeight, const at::Tensor& dBias, const at::Tensor& gradient,
              const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& mean,
              const at::Tensor& inverse, bool relu) {
  const Planes planes(x);
  const Loops<T>& loops = loopsOf<T>();
  const T *from = x.const_data_ptr<T>(), *upstream = gradient.const_data_ptr<T>();
  T* to = dx.defined() ? dx.mutable_data_ptr<T>() : nullptr;
  const T *gamma = weight.const_data_ptr<T>(), *beta = bias.const_data_ptr<T>();
  const T *means = mean.const_data_ptr<T>(), *inverses = inverse.const_data_ptr<T>();
  T *toWeight = dWeight.mutable_data_ptr<T>(), *toBias = dBias.mutable_data_ptr<T>();
  const double count = static_cast<double>(planes.rows * planes.size);
  forEach(planes.channels, planes.rows * planes.size, [&](int64_t channel) {
    const T mu = means[channel], inv = inverses[channel];
    const Forward<T> by{mu, inv * gamma[channel], beta[channel]};
    double first = 0, second = 0;
    planes.forChannel(channel, [&](int64_t at, int64_t n) {
      const Sums<T> sums = relu ? loops.gradientSumsRelu(upstream + at, from + at, by, n)
                                : loops.gradientSums(upstream + at, from + at, mu, n);
      first += sums.first;
      second += sums.second;
    });
    toBias[channel] = static_cast<T>(first);
    toWeight[channel] = static_cast<T>(second * inv);
    if (to == nullptr) return;
    const Backward<T> back{static_cast<T>(first / count), static_cast<T>(second * inv * inv / count), by.scale};
    const auto write = relu ? loops.gradientRelu : loops.gradient;
    planes.forChannel(channel, [&](int64_t at, int64_t n) { write(to + at, upstream + at, from + at, back, by, n); });
  });
}

}  // namespace

bool hasBatchNormKernel(const at::Tensor& x) {
  // Below this many neighbours libtorch's own loops, which go along the channels, are as fast.
  constexpr int64_t kFewest = 16;
  return x.is_cpu() && x.layout() == at::kStrided && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble) &&
         x.dim() >= 2 && x.is_contiguous() && x.has_storage() && !x._is_zerotensor() && !x.is_neg() && x.numel() > 0 &&
         x.numel() / (x.size(0) * x.size(1)) >= kFewest;
}

ChannelStats batchNormKernel(const at::Tensor& y, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                             double eps, bool relu) {
  const auto channels = [&] { return at::empty({x.size(1)}, x.options()); };
  const ChannelStats stats{channels(), channels(), channels()};
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "batch_norm",
                             [&] { forward<scalar_t>(y, x, weight, bias, eps, relu, stats); });
  return stats;
}

void batchNormBackwardKernel(const at::Tensor& dx, const at::Tensor& dWeight, const at::Tensor& dBias,
                             const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& weight,
                             const at::Tensor& bias, const at::Tensor& mean, const at::Tensor& inverse, bool relu) {
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "batch_norm_backward", [&] {
    backward<scalar_t>(dx, dWeight, dBias, gradient, x, weight, bias, mean, inverse, relu);
  });
}

}  // namespace shallows
