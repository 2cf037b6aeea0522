#include <algorithm>
#include <cmath>

#include "batch_norm_layouts.h"
#include "loops.h"

namespace shallows {
namespace {

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

SHALLOWS_DEFINE_LOOPS(SHALLOWS_LOOPS)

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

// Calls f(offset, n) for the stretches of a channel, of at most kChunk elements.
template <typename F>
void forChannel(const Planes& planes, int64_t channel, F f) {
  for (int64_t row = 0; row < planes.rows; row++) {
    const int64_t start = (row * planes.channels + channel) * planes.size;
    for (int64_t at = 0; at < planes.size; at += kChunk) f(start + at, std::min(kChunk, planes.size - at));
  }
}

}  // namespace

template <typename T>
void forwardPlanes(const BatchNormForward<T>& job, const Planes& planes) {
  const Loops<T>& loops = loopsOf<T>();
  forEach(planes.channels, planes.rows * planes.size, [&](int64_t channel) {
    Moments moments;
    forChannel(planes, channel, [&](int64_t at, int64_t n) {
      // The mean is rounded, and what it is off by is found with the squares.
      const T around = loops.sum(job.x + at, n) / static_cast<T>(n);
      const Sums<T> sums = loops.deviations(job.x + at, around, n);
      const double count = static_cast<double>(n), off = sums.first / count;
      moments.add(count, around + off, sums.second - off * off * count);
    });
    job.setStats(channel, moments.count, moments.mean, moments.squares);
    const Forward<T> by{job.mean[channel], job.inverse[channel] * job.weight[channel], job.bias[channel]};
    const auto write = job.relu ? loops.normaliseRelu : loops.normalise;
    forChannel(planes, channel, [&](int64_t at, int64_t n) { write(job.y + at, job.x + at, by, n); });
  });
}

template <typename T>
void backwardPlanes(const BatchNormBackward<T>& job, const Planes& planes) {
  const Loops<T>& loops = loopsOf<T>();
  const double count = static_cast<double>(planes.rows * planes.size);
  forEach(planes.channels, planes.rows * planes.size, [&](int64_t channel) {
    const T mean = job.mean[channel], inverse = job.inverse[channel];
    const Forward<T> by{mean, inverse * job.weight[channel], job.bias[channel]};
    double first = 0, second = 0;
    forChannel(planes, channel, [&](int64_t at, int64_t n) {
      const Sums<T> sums = job.relu ? loops.gradientSumsRelu(job.gradient + at, job.x + at, by, n)
                                    : loops.gradientSums(job.gradient + at, job.x + at, mean, n);
      first += sums.first;
      second += sums.second;
    });
    job.dBias[channel] = static_cast<T>(first);
    job.dWeight[channel] = static_cast<T>(second * inverse);
    if (job.dx == nullptr) return;
    const Backward<T> back{static_cast<T>(first / count), static_cast<T>(second * inverse * inverse / count), by.scale};
    const auto write = job.relu ? loops.gradientRelu : loops.gradient;
    forChannel(planes, channel,
               [&](int64_t at, int64_t n) { write(job.dx + at, job.gradient + at, job.x + at, back, by, n); });
  });
}

template void forwardPlanes(const BatchNormForward<float>&, const Planes&);
template void forwardPlanes(const BatchNormForward<double>&, const Planes&);
template void backwardPlanes(const BatchNormBackward<float>&, const Planes&);
template void backwardPlanes(const BatchNormBackward<double>&, const Planes&);

}  // namespace shallows
