// libtorch's autocast: 16-bit arithmetic chosen operator by operator.
#pragma once

#include <napi.h>

namespace shallows {

void registerAutocast(Napi::Env env, Napi::Object exports);

}  // namespace shallows
