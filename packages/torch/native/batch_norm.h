// Batch normalisation in training, with the relu that follows, as an operator of the dispatcher.
#pragma once

#include <napi.h>

namespace shallows {

void registerBatchNorm(Napi::Env env, Napi::Object exports);

}  // namespace shallows
