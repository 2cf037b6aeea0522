#include "fork_nodes.h"

#include <mutex>

#include "residual.h"
#include "rows.h"

namespace shallows {

using torch::autograd::variable_list;

variable_list ForkWindowBackward::apply(variable_list&& gradients) {
  const at::Tensor window = std::move(gradients[0]);
  at::Tensor rest = std::move(gradients[1]);
  if (!window.defined()) return {rest};
  if (!rest.defined()) rest = batch.zeros(window);
  if (!isUnshared(rest)) return {joinWindow(rest, window, start, 1, "none")};
  rest.narrow(0, start, window.size(0)).add_(window);
  return {rest};
}

variable_list ForkRowsBackward::apply(variable_list&& gradients) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const at::Tensor rows = std::move(gradients[0]);
  at::Tensor rest = std::move(gradients[1]);
  if (!rows.defined()) return {rest};
  if (!rest.defined()) rest = batch.zeros(rows);
  const at::Tensor list = index.unpack();
  if (!isUnshared(rest)) return {rest.index_add(0, list, rows)};
  if (list.is_cpu() && hasKernels(rest, rows)) {
    const RowMap map(list, rest.size(0));
    if (map.isDistinct()) {
      addIntoKernel(rest, rows, map);
      return {rest};
    }
  }
  rest.index_add_(0, list, rows);
  return {rest};
}

}  // namespace shallows
