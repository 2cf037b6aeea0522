// libtorch as a whole: versions, threads, devices, random generators.
#pragma once

#include <napi.h>

namespace shallows {

// Whether libtorch warned on this thread since `takeWarnings` was last called.
bool warningsPending();

void registerRuntime(Napi::Env env, Napi::Object exports);

}  // namespace shallows
