// Nodes of the autograd graph of our own.
#pragma once

#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/variable.h>

#include <memory>
#include <type_traits>
#include <utility>

namespace shallows {

// libtorch holds nodes by std::shared_ptr, or in later versions by c10::intrusive_ptr.
using NodePointer = std::remove_cv_t<decltype(torch::autograd::Edge::function)>;

template <typename Pointer, typename N>
Pointer ownedNode(N* fresh) {
  if constexpr (requires { Pointer::unsafe_steal_from_new(fresh); }) {
    return Pointer::unsafe_steal_from_new(fresh);
  } else {
    return Pointer(fresh, [](auto* each) { deleteNode(each); });
  }
}

// Makes `outputs` the results of a new node, whose apply() gives the gradients of `inputs`, and returns it. Does nothing
// where none of those needs one. The node lives as long as the outputs.
template <typename N, typename... Inputs, typename... Arguments>
N* record(const std::vector<at::Tensor>& outputs, const std::tuple<Inputs...>& inputs, Arguments&&... arguments) {
  return std::apply(
      [&](const auto&... each) -> N* {
        if (!torch::autograd::compute_requires_grad(each...)) return nullptr;
        auto* fresh = new N(std::forward<Arguments>(arguments)...);
        const NodePointer node = ownedNode<NodePointer>(fresh);
        fresh->set_next_edges(torch::autograd::collect_next_edges(each...));
        torch::autograd::set_history(outputs, node);
        return fresh;
      },
      inputs);
}

}  // namespace shallows
