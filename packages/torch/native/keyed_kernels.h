// Loops that drop elements by keyed random numbers: Philox4x32-10, a function of the key and the place alone.
#pragma once

#include <ATen/ATen.h>

namespace shallows {

// 64 bits, as in the TypeScript keys.
struct RowKey {
  uint32_t hi;
  uint32_t lo;
};

// What is drawn for the elements of some rows: rows of `width` elements, each under its own key.
struct KeyedRows {
  std::vector<RowKey> keys;
  int64_t width;
  // Elements whose 32 random bits are below are dropped.
  uint64_t threshold;
};

// out[i] = 1 where the element is kept, else 0. `out`: dense, in row-major order, float32, float64, float16 or bfloat16.
void keyedMaskKernel(const at::Tensor& out, const KeyedRows& rows);

// out[i] = x[i] · scale where the element is kept, else 0, whatever x is there. Both dense, in row-major order, of one of
// those dtypes; halves are multiplied in float32.
void keyedDropKernel(const at::Tensor& out, const at::Tensor& x, const KeyedRows& rows, double scale);

}  // namespace shallows
