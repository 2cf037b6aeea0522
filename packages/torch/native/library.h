// Operators of our own in libtorch's dispatcher.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

#include <mutex>
#include <optional>

namespace shallows {

// Calls `define` with the library "shallows", but for a process that has the operator `first` of it already: that loaded the
// addon in another thread, or saw it built again, and keeps the operators of the first.
inline void defineOnce(const char* first, void (*define)(torch::Library&)) {
  static std::mutex mutex;
  const std::lock_guard<std::mutex> lock(mutex);
  if (c10::Dispatcher::singleton().findSchema({first, ""}).has_value()) return;
  // Never freed: the dispatcher may be gone before it at the end of the process.
  define(*new torch::Library(torch::Library::FRAGMENT, "shallows", std::nullopt, __FILE__, __LINE__));
}

// The same function with and without autograd: without it no input needs a gradient, and nothing is recorded.
template <typename Function>
void defineWithGradient(torch::Library& library, const char* schema, const char* name, Function function) {
  library.def(schema);
  library.impl(name, torch::dispatch(c10::DispatchKey::CompositeExplicitAutograd, function));
  library.impl(name, torch::dispatch(c10::DispatchKey::Autograd, function));
}

}  // namespace shallows
