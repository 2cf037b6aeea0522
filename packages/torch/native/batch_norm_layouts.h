// The loops of batch normalisation, for each way in which a batch can lie in memory.
#pragma once

#include <cmath>
#include <cstdint>

// Tells the compiler that a loop may write where it reads, as long as it is the same element.
#if defined(__GNUC__) && !defined(__clang__)
#define SHALLOWS_IN_PLACE _Pragma("GCC ivdep")
#elif defined(__clang__)
#define SHALLOWS_IN_PLACE _Pragma("clang loop vectorize(assume_safety)")
#else
#define SHALLOWS_IN_PLACE
#endif

namespace shallows {

// What goes into normalising a batch and what comes out: a batch, or one value a channel.
template <typename T>
struct BatchNormForward {
  T* y;
  const T* x;
  const T* weight;
  const T* bias;
  double eps;
  bool relu;
  T* mean;
  T* inverse;
  T* variance;

  // From the number of values, their mean and the sum of the squared deviations from it.
  void setStats(int64_t channel, double count, double theirMean, double squares) const {
    mean[channel] = static_cast<T>(theirMean);
    inverse[channel] = static_cast<T>(1 / std::sqrt(squares / count + eps));
    variance[channel] = static_cast<T>(squares / (count - 1));
  }
};

// The same for its gradients. `dx` may be null, or the memory of `gradient`.
template <typename T>
struct BatchNormBackward {
  T* dx;
  T* dWeight;
  T* dBias;
  const T* gradient;
  const T* x;
  const T* weight;
  const T* bias;
  const T* mean;
  const T* inverse;
  bool relu;
};

// A batch [N, C, …] in that order: plane (n, c) is `size` neighbours from (n · C + c) · size.
struct Planes {
  int64_t rows;
  int64_t channels;
  int64_t size;
};

// Each channel is read from memory once a pass and normalised while it is still in the cache.
template <typename T>
void forwardPlanes(const BatchNormForward<T>& job, const Planes& planes);
template <typename T>
void backwardPlanes(const BatchNormBackward<T>& job, const Planes& planes);

// A batch whose channels are neighbours: [rows, channels].
struct Columns {
  int64_t rows;
  int64_t channels;
};

template <typename T>
void forwardColumns(const BatchNormForward<T>& job, const Columns& columns);
template <typename T>
void backwardColumns(const BatchNormBackward<T>& job, const Columns& columns);

}  // namespace shallows
