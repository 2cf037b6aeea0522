#include "autocast.h"

#include <ATen/autocast_mode.h>
#include <torch/version.h>

#include "boundary.h"
#include "names.h"

// Since libtorch 2.4 there is one set of functions for all devices.
#define SHALLOWS_AUTOCAST (TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4))

namespace shallows {
namespace {

// autocastState(device type): the dtype that is on, or ''.
Napi::Value autocastState(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "autocast", [&] {
#if SHALLOWS_AUTOCAST
    const auto device = at::Device(info[0].ToString().Utf8Value()).type();
    const bool on = at::autocast::is_autocast_enabled(device);
    return Napi::String::New(info.Env(), on ? dtypeName(at::autocast::get_autocast_dtype(device)) : "");
#else
    return Napi::String::New(info.Env(), "");
#endif
  });
}

// enterAutocast(device type, dtype or ''): the state before, for leaveAutocast.
Napi::Value enterAutocast(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "autocast", [&] {
#if SHALLOWS_AUTOCAST
    const auto device = at::Device(info[0].ToString().Utf8Value()).type();
    const std::string dtype = info[1].ToString().Utf8Value();
    Napi::Object before = Napi::Object::New(info.Env());
    before.Set("enabled", at::autocast::is_autocast_enabled(device));
    before.Set("dtype", dtypeName(at::autocast::get_autocast_dtype(device)));
    const auto type = dtype.empty() ? at::autocast::get_autocast_dtype(device) : dtypeNamed(dtype);
    at::autocast::set_autocast_enabled(device, !dtype.empty());
    at::autocast::set_autocast_dtype(device, type);
    at::autocast::increment_nesting();
    return before;
#else
    TORCH_CHECK(false, "expected libtorch 2.4 or newer, got " TORCH_VERSION " - use precision float32, or another libtorch");
    return info.Env().Undefined();
#endif
  });
}

// leaveAutocast(device type, enabled, dtype). The weights that were cast are kept until the outermost one is left.
Napi::Value leaveAutocast(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "autocast", [&] {
#if SHALLOWS_AUTOCAST
    const auto device = at::Device(info[0].ToString().Utf8Value()).type();
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(device, info[1].ToBoolean().Value());
    at::autocast::set_autocast_dtype(device, dtypeNamed(info[2].ToString().Utf8Value()));
#endif
    return info.Env().Undefined();
  });
}

}  // namespace

void registerAutocast(Napi::Env env, Napi::Object exports) {
  exports.Set("autocastState", Napi::Function::New(env, autocastState));
  exports.Set("enterAutocast", Napi::Function::New(env, enterAutocast));
  exports.Set("leaveAutocast", Napi::Function::New(env, leaveAutocast));
}

}  // namespace shallows
