// Refuses allocations that the machine cannot serve, so that a wrong size is an error and not the end of the process.
#pragma once

#include <napi.h>

namespace shallows {

void registerMemory(Napi::Env env, Napi::Object exports);

}  // namespace shallows
