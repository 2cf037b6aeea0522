#include "join_kernels.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "loops.h"

#ifdef SHALLOWS_X86
#include <immintrin.h>
#endif

namespace shallows {
namespace {

// Elements that a relu is formed for at a time, so that they are still in the cache where their bits are: a multiple of 8.
constexpr int64_t kPiece = 2048;

// Eight elements at a time, for the loops of each kind.
struct PlainLoopsBits {
  // Bit j: whether element j came through a relu. One that is not a number does.
  template <typename T>
  static uint8_t passed(const T* sum) {
    unsigned bits = 0;
    for (int j = 0; j < 8; j++) bits |= static_cast<unsigned>(!(sum[j] <= 0)) << j;
    return static_cast<uint8_t>(bits);
  }

  // Zeros where bit j is not set.
  template <typename T>
  static void cut(T* gradient, uint8_t bits) {
    for (int j = 0; j < 8; j++) gradient[j] = (bits >> j) & 1 ? gradient[j] : T(0);
  }
};

#ifdef SHALLOWS_X86
struct WideLoopsBits {
  SHALLOWS_WIDE static uint8_t passed(const float* sum) {
    return static_cast<uint8_t>(
        _mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(sum), _mm256_setzero_ps(), _CMP_NLE_UQ)));
  }

  SHALLOWS_WIDE static uint8_t passed(const double* sum) {
    int bits = 0;
    for (int j = 0; j < 8; j += 4)
      bits |= _mm256_movemask_pd(_mm256_cmp_pd(_mm256_loadu_pd(sum + j), _mm256_setzero_pd(), _CMP_NLE_UQ)) << j;
    return static_cast<uint8_t>(bits);
  }

  SHALLOWS_WIDE static void cut(float* gradient, uint8_t bits) {
    const __m256i each = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    const __m256i set = _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(bits), each), each);
    _mm256_storeu_ps(gradient, _mm256_and_ps(_mm256_loadu_ps(gradient), _mm256_castsi256_ps(set)));
  }

  SHALLOWS_WIDE static void cut(double* gradient, uint8_t bits) {
    for (int j = 0; j < 8; j += 4) {
      const __m256i each = _mm256_setr_epi64x(1 << j, 2 << j, 4 << j, 8 << j);
      const __m256i set = _mm256_cmpeq_epi64(_mm256_and_si256(_mm256_set1_epi64x(bits), each), each);
      _mm256_storeu_pd(gradient + j, _mm256_and_pd(_mm256_loadu_pd(gradient + j), _mm256_castsi256_pd(set)));
    }
  }
};
#endif

// What is done with neighbouring elements, for one type: a set of plain loops, which the compiler vectorizes.
template <typename T>
struct Loops {
  void (*add)(T* out, const T* a, const T* b, T scale, int64_t n);
  void (*addInto)(T* out, const T* a, int64_t n);
  void (*addRelu)(T* out, const T* a, const T* b, T scale, int64_t n);
  void (*relu)(T* out, const T* a, int64_t n);
  void (*scale)(T* out, const T* a, T scale, int64_t n);
  // Bits of n elements, from the first of a byte on.
  void (*passed)(uint8_t* bits, const T* sum, int64_t n);
  void (*cut)(T* gradient, const uint8_t* bits, int64_t n);
};

#define SHALLOWS_LOOPS(NAME, TARGET, MULTIPLY_ADD)                                                                     \
  template <typename T>                                                                                                \
  struct NAME {                                                                                                        \
    TARGET static void add(T* __restrict out, const T* __restrict a, const T* __restrict b, T scale, int64_t n) {      \
      for (int64_t i = 0; i < n; i++) out[i] = MULTIPLY_ADD(b[i], scale, a[i]);                                        \
    }                                                                                                                  \
    TARGET static void addInto(T* __restrict out, const T* __restrict a, int64_t n) {                                  \
      for (int64_t i = 0; i < n; i++) out[i] += a[i];                                                                  \
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
    TARGET static void passed(uint8_t* __restrict bits, const T* __restrict sum, int64_t n) {                          \
      int64_t i = 0;                                                                                                   \
      for (; i + 8 <= n; i += 8) bits[i / 8] = NAME##Bits::passed(sum + i);                                            \
      if (i == n) return;                                                                                              \
      T rest[8] = {};                                                                                                  \
      std::copy(sum + i, sum + n, rest);                                                                               \
      bits[i / 8] = NAME##Bits::passed(rest);                                                                          \
    }                                                                                                                  \
    TARGET static void cut(T* __restrict gradient, const uint8_t* __restrict bits, int64_t n) {                        \
      int64_t i = 0;                                                                                                   \
      for (; i + 8 <= n; i += 8) NAME##Bits::cut(gradient + i, bits[i / 8]);                                           \
      if (i == n) return;                                                                                              \
      T rest[8] = {};                                                                                                  \
      std::copy(gradient + i, gradient + n, rest);                                                                     \
      NAME##Bits::cut(rest, bits[i / 8]);                                                                              \
      std::copy(rest, rest + (n - i), gradient + i);                                                                   \
    }                                                                                                                  \
    static constexpr Loops<T> all{add, addInto, addRelu, relu, scale, passed, cut};                                             \
  };

SHALLOWS_DEFINE_LOOPS(SHALLOWS_LOOPS)

// The elements of a row in memory, or none where a tensor has no rows.
int64_t rowSize(const at::Tensor& x) { return x.size(0) == 0 ? 0 : x.numel() / x.size(0); }
// The bytes of its bits.
int64_t bytesOf(int64_t size) { return (size + 7) / 8; }

// Calls `f(begin, count)` for the pieces of a row.
template <typename F>
void inPieces(int64_t size, F f) {
  for (int64_t i = 0; i < size; i += kPiece) f(i, std::min(kPiece, size - i));
}

template <typename T>
void join(const at::Tensor& out, const at::Tensor& shortcut, const at::Tensor& branch, const RowMap& map, double by,
          Rectify rectify, const at::Tensor& passed) {
  const int64_t size = rowSize(out);
  T* to = out.mutable_data_ptr<T>();
  const T* from = shortcut.const_data_ptr<T>();
  const T* added = branch.numel() == 0 ? nullptr : branch.const_data_ptr<T>();
  uint8_t* bits = passed.defined() ? passed.mutable_data_ptr<uint8_t>() : nullptr;
  const T scale = static_cast<T>(by);
  const Loops<T>& loops = loopsOf<T>();
  forEach(out.size(0), size, [=, &map, &loops](int64_t row) {
    const int64_t source = map(row);
    T* target = to + row * size;
    const T* rest = from + row * size;
    const bool isRectified = rectify == Rectify::all || (rectify == Rectify::kept && source >= 0);
    if (!isRectified) {
      if (source < 0) std::copy(rest, rest + size, target);
      else loops.add(target, rest, added + source * size, scale, size);
      return;
    }
    inPieces(size, [&](int64_t i, int64_t n) {
      if (source < 0) loops.relu(target + i, rest + i, n);
      else loops.addRelu(target + i, rest + i, added + source * size + i, scale, n);
      if (bits != nullptr) loops.passed(bits + row * bytesOf(size) + i / 8, target + i, n);
    });
  });
}

template <typename T>
void addInto(const at::Tensor& batch, const at::Tensor& rows, const RowMap& map) {
  const int64_t size = rowSize(batch);
  T* to = batch.mutable_data_ptr<T>();
  const T* from = rows.numel() == 0 ? nullptr : rows.const_data_ptr<T>();
  const Loops<T>& loops = loopsOf<T>();
  forEach(batch.size(0), size, [=, &map, &loops](int64_t row) {
    const int64_t source = map(row);
    if (source >= 0) loops.addInto(to + row * size, from + source * size, size);
  });
}

template <typename T>
void split(const at::Tensor& gradient, const at::Tensor& branch, const at::Tensor& passed, const RowMap& map, double by,
           Rectify rectify) {
  const int64_t size = rowSize(gradient);
  T* whole = gradient.mutable_data_ptr<T>();
  T* part = branch.defined() && branch.numel() > 0 ? branch.mutable_data_ptr<T>() : nullptr;
  const uint8_t* bits = rectify == Rectify::none ? nullptr : passed.const_data_ptr<uint8_t>();
  const T scale = static_cast<T>(by);
  const Loops<T>& loops = loopsOf<T>();
  forEach(gradient.size(0), size, [=, &map, &loops](int64_t row) {
    const int64_t source = map(row);
    T* mine = whole + row * size;
    T* theirs = part == nullptr || source < 0 ? nullptr : part + source * size;
    const bool isRectified = rectify == Rectify::all || (rectify == Rectify::kept && source >= 0);
    inPieces(size, [&](int64_t i, int64_t n) {
      if (isRectified) loops.cut(mine + i, bits + row * bytesOf(size) + i / 8, n);
      if (theirs != nullptr) loops.scale(theirs + i, mine + i, scale, n);
    });
  });
}

template <typename T>
void setPassed(const at::Tensor& passed, const at::Tensor& sum) {
  const int64_t size = rowSize(sum);
  uint8_t* bits = passed.mutable_data_ptr<uint8_t>();
  const T* from = sum.const_data_ptr<T>();
  const Loops<T>& loops = loopsOf<T>();
  forEach(sum.size(0), size,
          [=, &loops](int64_t row) { loops.passed(bits + row * bytesOf(size), from + row * size, size); });
}

}  // namespace

RowMap::RowMap(const at::Tensor& index, int64_t rows) : listed_(rows, -1) {
  const at::Tensor plain = index.contiguous();
  const int64_t* rowsOf = plain.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < plain.numel(); i++) {
    int64_t& listed = listed_[rowsOf[i]];
    if (listed >= 0) isDistinct_ = false;
    listed = i;
  }
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

at::Tensor emptyBits(const at::Tensor& sum) {
  return at::empty({sum.size(0), bytesOf(rowSize(sum))}, sum.options().dtype(at::kByte));
}

void passedKernel(const at::Tensor& bits, const at::Tensor& sum) {
  if (sum.scalar_type() == at::kFloat) return setPassed<float>(bits, sum);
  setPassed<double>(bits, sum);
}

void joinRowsKernel(const at::Tensor& out, const at::Tensor& shortcut, const at::Tensor& branch, const RowMap& map,
                    double scale, Rectify rectify, const at::Tensor& bits) {
  if (out.scalar_type() == at::kFloat) return join<float>(out, shortcut, branch, map, scale, rectify, bits);
  join<double>(out, shortcut, branch, map, scale, rectify, bits);
}

void addIntoKernel(const at::Tensor& batch, const at::Tensor& rows, const RowMap& map) {
  if (batch.scalar_type() == at::kFloat) return addInto<float>(batch, rows, map);
  addInto<double>(batch, rows, map);
}

void splitRowsKernel(const at::Tensor& gradient, const at::Tensor& branch, const at::Tensor& bits, const RowMap& map,
                     double scale, Rectify rectify) {
  if (gradient.scalar_type() == at::kFloat) return split<float>(gradient, branch, bits, map, scale, rectify);
  split<double>(gradient, branch, bits, map, scale, rectify);
}

}  // namespace shallows
