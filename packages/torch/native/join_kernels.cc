#include "join_kernels.h"

#include <ATen/TensorIterator.h>

#include <algorithm>
#include <cmath>

// The compiler makes a version of a loop for each kind of processor, and the loader takes the one that fits. libtorch's
// sums multiply and add with one rounding where the processor can.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define SHALLOWS_LOOP __attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default"), optimize("O3")))
#else
#define SHALLOWS_LOOP
#endif

namespace shallows {
namespace {

#define SHALLOWS_LOOPS(T, FMA)                                                                                        \
  SHALLOWS_LOOP void addRow(T* __restrict out, const T* __restrict a, const T* __restrict b, T scale, int64_t n) {    \
    for (int64_t i = 0; i < n; i++) out[i] = FMA(b[i], scale, a[i]);                                                  \
  }                                                                                                                   \
  SHALLOWS_LOOP void addReluRow(T* __restrict out, const T* __restrict a, const T* __restrict b, T scale, int64_t n) { \
    for (int64_t i = 0; i < n; i++) {                                                                                 \
      const T sum = FMA(b[i], scale, a[i]);                                                                           \
      out[i] = sum < 0 ? T(0) : sum;                                                                                  \
    }                                                                                                                 \
  }                                                                                                                   \
  SHALLOWS_LOOP void reluRow(T* __restrict out, const T* __restrict a, int64_t n) {                                   \
    for (int64_t i = 0; i < n; i++) out[i] = a[i] < 0 ? T(0) : a[i];                                                  \
  }                                                                                                                   \
  SHALLOWS_LOOP void scaleRow(T* __restrict out, const T* __restrict a, T scale, int64_t n) {                         \
    for (int64_t i = 0; i < n; i++) out[i] = a[i] * scale;                                                            \
  }                                                                                                                   \
  SHALLOWS_LOOP void maskRow(T* __restrict gradient, const T* __restrict out, int64_t n) {                            \
    for (int64_t i = 0; i < n; i++) gradient[i] = out[i] <= 0 ? T(0) : gradient[i];                                   \
  }                                                                                                                   \
  SHALLOWS_LOOP void maskScaleRow(T* __restrict gradient, T* __restrict branch, const T* __restrict out, T scale,     \
                                  int64_t n) {                                                                        \
    for (int64_t i = 0; i < n; i++) {                                                                                 \
      const T masked = out[i] <= 0 ? T(0) : gradient[i];                                                              \
      gradient[i] = masked;                                                                                           \
      branch[i] = masked * scale;                                                                                     \
    }                                                                                                                 \
  }

SHALLOWS_LOOPS(float, __builtin_fmaf)
SHALLOWS_LOOPS(double, __builtin_fma)

// The elements of a row in memory, or none where a tensor has no rows.
int64_t rowSize(const at::Tensor& x) { return x.size(0) == 0 ? 0 : x.numel() / x.size(0); }

// Calls `f(row)` for every row, on all threads of libtorch: its iterator shares the numbers of the rows out among them.
template <typename F>
void forRows(int64_t rows, int64_t size, F f) {
  if (rows == 0 || size == 0) return;
  const at::Tensor numbers = at::empty({rows}, at::TensorOptions().dtype(at::kChar));
  const char* first = static_cast<const char*>(numbers.const_data_ptr());
  auto iterator = at::TensorIterator::nullary_op(const_cast<at::Tensor&>(numbers));
  const int64_t grain = std::max<int64_t>(1, at::internal::GRAIN_SIZE / size);
  iterator.for_each(
      [&](char** data, const int64_t* strides, int64_t count, int64_t) {
        for (int64_t i = 0; i < count; i++) f(data[0] + i * strides[0] - first);
      },
      grain);
}

template <typename T>
void join(const at::Tensor& out, const at::Tensor& shortcut, const at::Tensor& branch, const RowMap& map, double by,
          Rectify rectify) {
  const int64_t size = rowSize(out);
  T* to = out.mutable_data_ptr<T>();
  const T* from = shortcut.const_data_ptr<T>();
  const T* added = branch.numel() == 0 ? nullptr : branch.const_data_ptr<T>();
  const T scale = static_cast<T>(by);
  forRows(out.size(0), size, [=, &map](int64_t row) {
    const int64_t source = map(row);
    T* target = to + row * size;
    const T* rest = from + row * size;
    if (source < 0) {
      if (rectify == Rectify::all) return reluRow(target, rest, size);
      std::copy(rest, rest + size, target);
      return;
    }
    if (rectify == Rectify::none) return addRow(target, rest, added + source * size, scale, size);
    addReluRow(target, rest, added + source * size, scale, size);
  });
}

template <typename T>
void split(const at::Tensor& gradient, const at::Tensor& branch, const at::Tensor& sum, const RowMap& map, double by,
           Rectify rectify) {
  const int64_t size = rowSize(gradient);
  T* whole = gradient.mutable_data_ptr<T>();
  T* part = branch.defined() && branch.numel() > 0 ? branch.mutable_data_ptr<T>() : nullptr;
  const T* out = rectify == Rectify::none ? nullptr : sum.const_data_ptr<T>();
  const T scale = static_cast<T>(by);
  forRows(gradient.size(0), size, [=, &map](int64_t row) {
    const int64_t source = map(row);
    T* mine = whole + row * size;
    if (source < 0) {
      if (rectify == Rectify::all) maskRow(mine, out + row * size, size);
      return;
    }
    T* theirs = part == nullptr ? nullptr : part + source * size;
    if (rectify == Rectify::none) {
      if (theirs != nullptr) scaleRow(theirs, mine, scale, size);
    } else if (theirs == nullptr) {
      maskRow(mine, out + row * size, size);
    } else {
      maskScaleRow(mine, theirs, out + row * size, scale, size);
    }
  });
}

}  // namespace

RowMap::RowMap(const at::Tensor& index, int64_t rows) : listed_(rows, -1) {
  const at::Tensor plain = index.contiguous();
  const int64_t* rowsOf = plain.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < plain.numel(); i++) listed_[rowsOf[i]] = i;
}

bool hasKernels(const at::Tensor& batch, const at::Tensor& part) {
  const auto type = batch.scalar_type();
  if (type != at::kFloat && type != at::kDouble) return false;
  for (const at::Tensor* each : {&batch, &part}) {
    const bool plain = each->is_cpu() && each->layout() == at::kStrided && each->scalar_type() == type &&
                       !each->_is_zerotensor() && !each->is_conj() && !each->is_neg() && each->has_storage();
    if (!plain) return false;
  }
  const auto both = [&](at::MemoryFormat format) { return batch.is_contiguous(format) && part.is_contiguous(format); };
  return both(at::MemoryFormat::Contiguous) || (batch.dim() == 4 && both(at::MemoryFormat::ChannelsLast));
}

void joinRowsKernel(const at::Tensor& out, const at::Tensor& shortcut, const at::Tensor& branch, const RowMap& map,
                    double scale, Rectify rectify) {
  if (out.scalar_type() == at::kFloat) return join<float>(out, shortcut, branch, map, scale, rectify);
  join<double>(out, shortcut, branch, map, scale, rectify);
}

void splitRowsKernel(const at::Tensor& gradient, const at::Tensor& branch, const at::Tensor& out, const RowMap& map,
                     double scale, Rectify rectify) {
  if (gradient.scalar_type() == at::kFloat) return split<float>(gradient, branch, out, map, scale, rectify);
  split<double>(gradient, branch, out, map, scale, rectify);
}

}  // namespace shallows
