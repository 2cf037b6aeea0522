// Where the time goes, operator by operator.
#pragma once

#include <napi.h>

namespace shallows {

void registerProfile(Napi::Env env, Napi::Object exports);

}  // namespace shallows
