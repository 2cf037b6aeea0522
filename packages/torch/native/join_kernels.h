// Loops over the rows of a batch in which a branch takes part: each element is read and written once.
#pragma once

#include <ATen/ATen.h>

namespace shallows {

// Which rows of a sum go through a relu.
enum class Rectify { none, kept, all };

// Which row of the branch belongs to a row of the batch: rows [start, start + length), or those that a list names.
class RowMap {
 public:
  RowMap(int64_t start, int64_t length) : start_(start), length_(length) {}
  // `index` on the CPU.
  RowMap(const at::Tensor& index, int64_t rows);
  // Whether each row of a list is listed once. Else the last one counts.
  bool isDistinct() const { return isDistinct_; }
  // -1 where the row is not kept.
  int64_t operator()(int64_t row) const {
    if (!listed_.empty()) return listed_[row];
    return row >= start_ && row < start_ + length_ ? row - start_ : -1;
  }

 private:
  int64_t start_ = 0;
  int64_t length_ = 0;
  std::vector<int64_t> listed_;
  bool isDistinct_ = true;
};

// Whether the loops take tensors of these kinds: float32 or float64 of the CPU, whose rows are dense and in one order.
bool hasKernels(const at::Tensor& batch, const at::Tensor& part);

// Memory for which elements of a sum came through a relu: a bit each, [rows, bytes of a row], in the order of the sum's
// memory. A bit is set where the element is not at or below zero.
at::Tensor emptyBits(const at::Tensor& sum);
void passedKernel(const at::Tensor& bits, const at::Tensor& sum);

// out = shortcut, + scale · branch in the kept rows, rectified where said. Sums are those of at::add to the last bit. `bits`,
// where defined, are set in the rows that are rectified.
void joinRowsKernel(const at::Tensor& out, const at::Tensor& shortcut, const at::Tensor& branch, const RowMap& map,
                    double scale, Rectify rectify, const at::Tensor& bits);

// batch += rows, in the kept rows of the batch.
void addIntoKernel(const at::Tensor& batch, const at::Tensor& rows, const RowMap& map);

// The gradients of that sum: `gradient` becomes the shortcut's in place, and `branch`, where it is defined, scale times its
// kept rows. `bits` are those of the sum; they are not looked at without a relu.
void splitRowsKernel(const at::Tensor& gradient, const at::Tensor& branch, const at::Tensor& bits, const RowMap& map,
                     double scale, Rectify rectify);

}  // namespace shallows
