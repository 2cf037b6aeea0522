// Finding and calling operators.
#pragma once

#include <napi.h>

namespace shallows {

void registerDispatch(Napi::Env env, Napi::Object exports);

}  // namespace shallows
