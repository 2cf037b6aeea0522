#include "fast_kernels.h"

#include <atomic>

namespace shallows {
namespace {

std::atomic<bool> allowed{true};

// setFastKernels(value): whether they are taken. Before: the value until now.
Napi::Value setFastKernels(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), allowed.exchange(info[0].ToBoolean().Value()));
}

}  // namespace

bool fastKernels() { return allowed.load(std::memory_order_relaxed); }

void registerFastKernels(Napi::Env env, Napi::Object exports) {
  exports.Set("setFastKernels", Napi::Function::New(env, setFastKernels));
}

}  // namespace shallows
