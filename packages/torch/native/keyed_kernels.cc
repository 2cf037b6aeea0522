#include "keyed_kernels.h"

#include <ATen/Dispatch.h>
#include <ATen/OpMathType.h>

#include "loops.h"

#ifdef SHALLOWS_X86
#include <immintrin.h>
#endif

namespace shallows {
namespace {

// Tells these blocks from all others under a key: words 0 to 3 belong to the draws of single numbers.
constexpr uint32_t kMask = 8;

// Element e of a row has word (e / 8) mod 4 of block 8 · (e / 32) + e mod 8: eight blocks lie side by side, as wide processors
// make them.
constexpr int64_t kLanes = 8;
constexpr int64_t kGroup = 4 * kLanes;

constexpr uint32_t kM0 = 0xd2511f53, kM1 = 0xcd9e8d57, kW0 = 0x9e3779b9, kW1 = 0xbb67ae85;

// Writes the words of `groups` groups from group `first` on.
void plainWords(uint32_t* out, RowKey key, int64_t first, int64_t groups) {
  for (int64_t block = 0; block < groups * kLanes; block++) {
    const auto counter = static_cast<uint64_t>(first * kLanes + block);
    uint32_t x0 = static_cast<uint32_t>(counter), x1 = static_cast<uint32_t>(counter >> 32), x2 = 0, x3 = kMask;
    uint32_t k0 = key.lo, k1 = key.hi;
    for (int round = 0; round < 10; round++, k0 += kW0, k1 += kW1) {
      const uint64_t p0 = uint64_t{kM0} * x0, p1 = uint64_t{kM1} * x2;
      x0 = static_cast<uint32_t>(p1 >> 32) ^ x1 ^ k0;
      x1 = static_cast<uint32_t>(p1);
      x2 = static_cast<uint32_t>(p0 >> 32) ^ x3 ^ k1;
      x3 = static_cast<uint32_t>(p0);
    }
    uint32_t* group = out + block / kLanes * kGroup + block % kLanes;
    const uint32_t words[] = {x0, x1, x2, x3};
    for (int64_t word = 0; word < 4; word++) group[word * kLanes] = words[word];
  }
}

#ifdef SHALLOWS_X86
// The high and the low words of eight products.
SHALLOWS_WIDE inline void multiply(__m256i a, __m256i by, __m256i& high, __m256i& low) {
  const __m256i even = _mm256_mul_epu32(a, by);
  const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), by);
  high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
  low = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
}

// A round of N groups side by side: one waits for its products while another goes on.
template <int N>
SHALLOWS_WIDE inline void wideGroups(uint32_t* out, RowKey key, int64_t first) {
  const __m256i m0 = _mm256_set1_epi32(static_cast<int>(kM0)), m1 = _mm256_set1_epi32(static_cast<int>(kM1));
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  __m256i x0[N], x1[N], x2[N], x3[N];
  for (int i = 0; i < N; i++) {
    const auto counter = static_cast<uint64_t>((first + i) * kLanes);
    // Eight counters from a multiple of eight on share their high words.
    x0[i] = _mm256_add_epi32(_mm256_set1_epi32(static_cast<int>(counter)), lanes);
    x1[i] = _mm256_set1_epi32(static_cast<int>(counter >> 32));
    x2[i] = _mm256_setzero_si256();
    x3[i] = _mm256_set1_epi32(kMask);
  }
  uint32_t k0 = key.lo, k1 = key.hi;
  for (int round = 0; round < 10; round++, k0 += kW0, k1 += kW1) {
    const __m256i key0 = _mm256_set1_epi32(static_cast<int>(k0)), key1 = _mm256_set1_epi32(static_cast<int>(k1));
    for (int i = 0; i < N; i++) {
      __m256i high0, low0, high1, low1;
      multiply(x0[i], m0, high0, low0);
      multiply(x2[i], m1, high1, low1);
      x0[i] = _mm256_xor_si256(_mm256_xor_si256(high1, x1[i]), key0);
      x1[i] = low1;
      x2[i] = _mm256_xor_si256(_mm256_xor_si256(high0, x3[i]), key1);
      x3[i] = low0;
    }
  }
  for (int i = 0; i < N; i++) {
    auto* to = reinterpret_cast<__m256i*>(out + i * kGroup);
    _mm256_storeu_si256(to, x0[i]);
    _mm256_storeu_si256(to + 1, x1[i]);
    _mm256_storeu_si256(to + 2, x2[i]);
    _mm256_storeu_si256(to + 3, x3[i]);
  }
}

SHALLOWS_WIDE void wideWords(uint32_t* out, RowKey key, int64_t first, int64_t groups) {
  int64_t group = 0;
  for (; group + 2 <= groups; group += 2) wideGroups<2>(out + group * kGroup, key, first + group);
  if (group < groups) wideGroups<1>(out + group * kGroup, key, first + group);
}
#endif

void wordsOf(uint32_t* out, RowKey key, int64_t first, int64_t groups) {
#ifdef SHALLOWS_X86
  if (isWide()) return wideWords(out, key, first, groups);
#endif
  plainWords(out, key, first, groups);
}

template <typename T>
struct Loops {
  void (*mask)(T* out, const uint32_t* words, uint32_t threshold, int64_t n);
  void (*drop)(T* out, const T* x, const uint32_t* words, uint32_t threshold, at::opmath_type<T> scale, int64_t n);
};

#define SHALLOWS_LOOPS(NAME, TARGET, MULTIPLY_ADD)                                                                    \
  template <typename T>                                                                                               \
  struct NAME {                                                                                                       \
    TARGET static void mask(T* __restrict out, const uint32_t* __restrict words, uint32_t threshold, int64_t n) {     \
      for (int64_t i = 0; i < n; i++) out[i] = words[i] >= threshold ? T(1) : T(0);                                   \
    }                                                                                                                 \
    TARGET static void drop(T* __restrict out, const T* __restrict x, const uint32_t* __restrict words,               \
                            uint32_t threshold, at::opmath_type<T> scale, int64_t n) {                                \
      for (int64_t i = 0; i < n; i++) {                                                                               \
        const T scaled = static_cast<T>(static_cast<at::opmath_type<T>>(x[i]) * scale);                               \
        out[i] = words[i] >= threshold ? scaled : T(0);                                                               \
      }                                                                                                               \
    }                                                                                                                 \
    static constexpr Loops<T> all{mask, drop};                                                                        \
  };

SHALLOWS_DEFINE_LOOPS(SHALLOWS_LOOPS)

// Calls `f(place, words, n)` for stretches of all rows, on all threads: the words of n elements from a place of the tensor on.
template <typename F>
void forStretches(const KeyedRows& rows, F f) {
  // Words that stay in the first cache beside what is read and written.
  constexpr int64_t kStretch = 32 * kGroup;
  const int64_t width = rows.width;
  const int64_t stretches = (width + kStretch - 1) / kStretch;
  forEach(static_cast<int64_t>(rows.keys.size()) * stretches, std::min(width, kStretch), [&](int64_t i) {
    alignas(32) uint32_t words[kStretch];
    const int64_t row = i / stretches, start = i % stretches * kStretch;
    const int64_t n = std::min(kStretch, width - start);
    wordsOf(words, rows.keys[row], start / kGroup, (n + kGroup - 1) / kGroup);
    f(row * width + start, words, n);
  });
}

}  // namespace

void keyedMaskKernel(const at::Tensor& out, const KeyedRows& rows) {
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, out.scalar_type(), "keyed_mask", [&] {
    scalar_t* to = out.mutable_data_ptr<scalar_t>();
    const auto threshold = static_cast<uint32_t>(rows.threshold);
    const Loops<scalar_t>& loops = loopsOf<scalar_t>();
    forStretches(rows, [&](int64_t place, const uint32_t* words, int64_t n) {
      loops.mask(to + place, words, threshold, n);
    });
  });
}

void keyedDropKernel(const at::Tensor& out, const at::Tensor& x, const KeyedRows& rows, double scale) {
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, out.scalar_type(), "keyed_dropout", [&] {
    scalar_t* to = out.mutable_data_ptr<scalar_t>();
    const scalar_t* from = x.const_data_ptr<scalar_t>();
    const auto threshold = static_cast<uint32_t>(rows.threshold);
    const auto by = static_cast<at::opmath_type<scalar_t>>(scale);
    const Loops<scalar_t>& loops = loopsOf<scalar_t>();
    forStretches(rows, [&](int64_t place, const uint32_t* words, int64_t n) {
      loops.drop(to + place, from + place, words, threshold, by, n);
    });
  });
}

}  // namespace shallows
