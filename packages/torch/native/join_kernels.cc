#include "join_kernels.h"

#include <algorithm>
#include <cmath>

#include "loops.h"

namespace shallows {
namespace {

// What is done with the elements of one row, for one type: a set of plain loops, which the compiler vectorizes.
template <typename T>
struct Loops {
  void (*add)(T* out, const T* a, const T* b, T scale, int64_t n);
  void (*addRelu)(T* out, const T* a, const T* b, T scale, int64_t n);
  void (*relu)(T* out, const T* a, int64_t n);
  void (*scale)(T* out, const T* a, T scale, int64_t n);
  void (*mask)(T* gradient, const T* out, int64_t n);
  void (*maskScale)(T* gradient, T* branch, const T* out, T scale, int64_t n);
};

#define SHALLOWS_LOOPS(NAME, TARGET, T, MULTIPLY_ADD)                                                                  \
  struct NAME {                                                                                                        \
    TARGET static void add(T* __restrict out, const T* __restrict a, const T* __restrict b, T scale, int64_t n) {      \
      for (int64_t i = 0; i < n; i++) out[i] = MULTIPLY_ADD(b[i], scale, a[i]);                                        \
    }                                                                                                                  \
    TARGET static void addRelu(T* __restrict out, const T* __restrict a, const T* __restrict b, T scale, int64_t n) {  \
      for (int64_t i = 0; i < n; i++) {                                                                                \
        const T sum = MULTIPLY_ADD(b[i], scale, a[i]);                                                                 \
        out[i] = sum < 0 ? T(0) : sum;                                                                                 \
      }                                                                                                                \
    }                                                                                                                  \
    TARGET static void relu(T* __restrict out, const T* __restrict a, int64_t n) {                                     \
      for (int64_t i = 0; i < n; i++) out[i] = a[i] < 0 ? T(0) : a[i];                                                 \
    }                                                                                                                  \
    TARGET static void scale(T* __restrict out, const T* __restrict a, T scale, int64_t n) {                           \
      for (int64_t i = 0; i < n; i++) out[i] = a[i] * scale;                                                           \
    }                                                                                                                  \
    TARGET static void mask(T* __restrict gradient, const T* __restrict out, int64_t n) {                              \
      for (int64_t i = 0; i < n; i++) gradient[i] = out[i] <= 0 ? T(0) : gradient[i];                                  \
    }                                                                                                                  \
    TARGET static void maskScale(T* __restrict gradient, T* __restrict branch, const T* __restrict out, T scale,       \
                                 int64_t n) {                                                                          \
      for (int64_t i = 0; i < n; i++) {                                                                                \
        const T masked = out[i] <= 0 ? T(0) : gradient[i];                                                             \
        gradient[i] = masked;                                                                                          \
        branch[i] = masked * scale;                                                                                    \
      }                                                                                                                \
    }                                                                                                                  \
    static constexpr Loops<T> all{add, addRelu, relu, scale, mask, maskScale};                                         \
  };

#ifdef SHALLOWS_X86
SHALLOWS_LOOPS(FloatLoops, , float, SHALLOWS_ROUND_TWICE)
SHALLOWS_LOOPS(DoubleLoops, , double, SHALLOWS_ROUND_TWICE)
SHALLOWS_LOOPS(WideFloatLoops, SHALLOWS_WIDE, float, __builtin_fmaf)
SHALLOWS_LOOPS(WideDoubleLoops, SHALLOWS_WIDE, double, __builtin_fma)

const Loops<float>& loopsOf(float) { return isWide() ? WideFloatLoops::all : FloatLoops::all; }
const Loops<double>& loopsOf(double) { return isWide() ? WideDoubleLoops::all : DoubleLoops::all; }
#else
SHALLOWS_LOOPS(FloatLoops, , float, std::fma)
SHALLOWS_LOOPS(DoubleLoops, , double, std::fma)
const Loops<float>& loopsOf(float) { return FloatLoops::all; }
const Loops<double>& loopsOf(double) { return DoubleLoops::all; }
#endif

// The elements of a row in memory, or none where a tensor has no rows.
int64_t rowSize(const at::Tensor& x) { return x.size(0) == 0 ? 0 : x.numel() / x.size(0); }

template <typename T>
void join(const at::Tensor& out, const at::Tensor& shortcut, const at::Tensor& branch, const RowMap& map, double by,
          Rectify rectify) {
  const int64_t size = rowSize(out);
  T* to = out.mutable_data_ptr<T>();
  const T* from = shortcut.const_data_ptr<T>();
  const T* added = branch.numel() == 0 ? nullptr : branch.const_data_ptr<T>();
  const T scale = static_cast<T>(by);
  const Loops<T>& loops = loopsOf(T());
  forEach(out.size(0), size, [=, &map, &loops](int64_t row) {
    const int64_t source = map(row);
    T* target = to + row * size;
    const T* rest = from + row * size;
    if (source < 0) {
      if (rectify == Rectify::all) return loops.relu(target, rest, size);
      std::copy(rest, rest + size, target);
      return;
    }
    if (rectify == Rectify::none) return loops.add(target, rest, added + source * size, scale, size);
    loops.addRelu(target, rest, added + source * size, scale, size);
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
  const Loops<T>& loops = loopsOf(T());
  forEach(gradient.size(0), size, [=, &map, &loops](int64_t row) {
    const int64_t source = map(row);
    T* mine = whole + row * size;
    if (source < 0) {
      if (rectify == Rectify::all) loops.mask(mine, out + row * size, size);
      return;
    }
    T* theirs = part == nullptr ? nullptr : part + source * size;
    if (rectify == Rectify::none) {
      if (theirs != nullptr) loops.scale(theirs, mine, scale, size);
    } else if (theirs == nullptr) {
      loops.mask(mine, out + row * size, size);
    } else {
      loops.maskScale(mine, theirs, out + row * size, scale, size);
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
