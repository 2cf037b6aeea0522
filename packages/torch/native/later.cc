#include "later.h"

#include <thread>
#include <utility>

#include "boundary.h"

namespace shallows {
namespace {

Napi::ThreadSafeFunction caller(Napi::Env env) {
  const auto nothing = Napi::Function::New(env, [](const Napi::CallbackInfo&) {});
  return Napi::ThreadSafeFunction::New(env, nothing, "shallows", 0, 1);
}

}  // namespace

Later::Later(Napi::Env env, std::string where)
    : where_(std::move(where)), deferred_(Napi::Promise::Deferred::New(env)), call_(caller(env)) {}

void Later::settle(Keep keep) const {
  // Neither call can fail but for an environment that ends, where nobody waits any more.
  call_.NonBlockingCall([deferred = deferred_, where = where_, keep = std::move(keep)](Napi::Env env, Napi::Function) {
    try {
      deferred.Resolve(keep(env));
    } catch (...) {
      deferred.Reject(Napi::Error::New(env, where + ": " + messageOf(std::current_exception())).Value());
    }
  });
  Napi::ThreadSafeFunction(call_).Release();
}

Napi::Promise inThread(Napi::Env env, std::string where, std::function<Keep()> work) {
  const Later later(env, std::move(where));
  std::thread([later, work = std::move(work)] {
    try {
      later.settle(work());
    } catch (...) {
      later.settle([failure = std::current_exception()](Napi::Env) -> Napi::Value { std::rethrow_exception(failure); });
    }
  }).detach();
  return later.promise();
}

}  // namespace shallows
