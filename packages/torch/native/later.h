// Promises that other threads keep.
#pragma once

#include <napi.h>

#include <functional>
#include <string>

namespace shallows {

// Gives the value of a promise, on the thread of JavaScript. What it throws becomes the error.
using Keep = std::function<Napi::Value(Napi::Env)>;

// A promise, and the function that settles it: to be called once, from any thread. The event loop lives until then.
class Later {
 public:
  Later(Napi::Env env, std::string where);
  Napi::Promise promise() const { return deferred_.Promise(); }
  void settle(Keep keep) const;

 private:
  const std::string where_;
  const Napi::Promise::Deferred deferred_;
  Napi::ThreadSafeFunction call_;
};

// Runs `work` on a thread of its own; the promise is kept by what that returns.
Napi::Promise inThread(Napi::Env env, std::string where, std::function<Keep()> work);

}  // namespace shallows
