// Gradients: the backward pass, gradients of given inputs, and the flags of leaves.
#pragma once

#include <napi.h>

namespace shallows {

void registerAutograd(Napi::Env env, Napi::Object exports);

}  // namespace shallows
