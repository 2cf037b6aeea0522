// What a tensor is (shape, dtype, device, bytes), and making one from JavaScript memory.
#pragma once

#include <napi.h>

namespace shallows {

void registerTensor(Napi::Env env, Napi::Object exports);

}  // namespace shallows
