// Whether operators may be computed in another order than libtorch's, where that is faster.
#pragma once

#include <napi.h>

namespace shallows {

bool fastKernels();

void registerFastKernels(Napi::Env env, Napi::Object exports);

}  // namespace shallows
