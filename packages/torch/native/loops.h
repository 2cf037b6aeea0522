// What loops of our own over elements have in common: versions for wide processors, and sharing them out among threads.
#pragma once

#include <ATen/ATen.h>
#include <ATen/TensorIterator.h>
#include <ATen/Version.h>

#include <algorithm>
#include <cmath>

// On x86 each loop exists twice: for processors with AVX2 and FMA, where libtorch's sums too multiply and add with one
// rounding, and for the rest, where both round. Elsewhere the multiply-add is in the base instructions.
#if defined(__x86_64__) && defined(__GNUC__)
#define SHALLOWS_X86 1
#define SHALLOWS_WIDE __attribute__((target("avx2,fma")))
#define SHALLOWS_ROUND_TWICE(A, B, C) ((A) * (B) + (C))
#endif

namespace shallows {

#ifdef SHALLOWS_X86
// Whether the loops marked SHALLOWS_WIDE are taken: where libtorch takes its own such loops, which ATEN_CPU_CAPABILITY may
// forbid.
inline bool isWide() {
  static const bool wide =
      at::get_cpu_capability() != "DEFAULT" && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return wide;
}
#endif

// Defines PlainLoops<T> and, on x86, WideLoops<T> by a macro (NAME, TARGET, MULTIPLY_ADD), whose `all` is a Loops<T>; and
// loopsOf<T>(), those for this processor.
#ifdef SHALLOWS_X86
#define SHALLOWS_DEFINE_LOOPS(LOOPS)                                        \
  LOOPS(PlainLoops, , SHALLOWS_ROUND_TWICE)                                 \
  LOOPS(WideLoops, SHALLOWS_WIDE, std::fma)                                 \
  template <typename T>                                                     \
  const Loops<T>& loopsOf() {                                               \
    return isWide() ? WideLoops<T>::all : PlainLoops<T>::all;               \
  }
#else
#define SHALLOWS_DEFINE_LOOPS(LOOPS)                                        \
  LOOPS(PlainLoops, , std::fma)                                             \
  template <typename T>                                                     \
  const Loops<T>& loopsOf() {                                               \
    return PlainLoops<T>::all;                                              \
  }
#endif

// Calls `f(i)` for every i below `count`, each about `size` elements of work, on all threads of libtorch: its iterator shares
// the numbers out among them.
template <typename F>
void forEach(int64_t count, int64_t size, F f) {
  if (count == 0 || size == 0) return;
  const at::Tensor numbers = at::empty({count}, at::TensorOptions().dtype(at::kChar));
  const char* first = static_cast<const char*>(numbers.const_data_ptr());
  auto iterator = at::TensorIterator::nullary_op(const_cast<at::Tensor&>(numbers));
  const int64_t grain = std::max<int64_t>(1, at::internal::GRAIN_SIZE / size);
  iterator.for_each(
      [&](char** data, const int64_t* strides, int64_t n, int64_t) {
        for (int64_t i = 0; i < n; i++) f(data[0] + i * strides[0] - first);
      },
      grain);
}

}  // namespace shallows
