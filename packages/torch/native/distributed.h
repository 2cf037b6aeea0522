// Process groups and reducers, as JavaScript sees them.
#pragma once

#include <napi.h>

namespace shallows {

// Adds the object `distributed`.
void registerDistributed(Napi::Env env, Napi::Object exports);

}  // namespace shallows
