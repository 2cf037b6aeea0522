#include "profile.h"

#include <ATen/record_function.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "boundary.h"

namespace shallows {
namespace {

int64_t nowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// A call under way; those of a thread lie within each other.
struct Call : at::ObserverContext {
  Call(const char* name, Call* around, uint64_t profile);

  // Of the call that is watched: it lives as long as this.
  const char* const name;
  Call* const around;
  const uint64_t profile;
  // Whether it lies in a call of the same operator.
  bool isWithinItself = false;
  int64_t innerNs = 0;
  const int64_t start;
};

Call::Call(const char* name, Call* around, uint64_t profile)
    : name(name), around(around), profile(profile), start(nowNs()) {
  for (const Call* each = around; each != nullptr && !isWithinItself; each = each->around)
    isWithinItself = std::string_view(each->name) == name;
}

struct Time {
  int64_t calls = 0;
  int64_t selfNs = 0;
  int64_t totalNs = 0;
};

// One profile at a time, of one environment: callbacks are functions that know nothing but the call.
std::mutex mutex;
std::unordered_map<std::string, Time> times;
uint64_t profiles = 0;
napi_env owner = nullptr;
at::CallbackHandle callback = at::INVALID_CALLBACK_HANDLE;

// On a thread of the backward pass of a device, too: what watches a thread goes along with its work.
thread_local Call* innermost = nullptr;

std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction& function) {
  Call* around = innermost != nullptr && innermost->profile == profiles ? innermost : nullptr;
  auto call = std::make_unique<Call>(function.name(), around, profiles);
  innermost = call.get();
  return call;
}

void end(const at::RecordFunction&, at::ObserverContext* context) {
  Call& call = *static_cast<Call*>(context);
  const int64_t duration = nowNs() - call.start;
  innermost = call.around;
  if (call.around != nullptr) call.around->innerNs += duration;
  const std::lock_guard<std::mutex> lock(mutex);
  if (owner == nullptr || call.profile != profiles) return;
  Time& time = times[call.name];
  time.calls++;
  time.selfNs += duration - call.innerNs;
  // What it took is in the call around it.
  if (!call.isWithinItself) time.totalNs += duration;
}

// startProfile(): operators that this thread calls are timed from now on.
Napi::Value startProfile(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "profile", [&] {
    const std::lock_guard<std::mutex> lock(mutex);
    TORCH_CHECK(owner == nullptr, "expected no profile under way in this process, got one - take one after the other");
    const std::unordered_set<at::RecordScope, std::hash<at::RecordScope>> scopes{at::RecordScope::FUNCTION,
                                                                                 at::RecordScope::BACKWARD_FUNCTION};
    times.clear();
    profiles++;
    callback = at::addThreadLocalCallback(at::RecordFunctionCallback(begin, end).scopes(scopes));
    owner = info.Env();
    return info.Env().Undefined();
  });
}

// stopProfile(): [name, calls, self, total] of each operator, in nanoseconds.
Napi::Value stopProfile(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "profile", [&] {
    const std::lock_guard<std::mutex> lock(mutex);
    at::removeCallback(callback);
    owner = nullptr;
    Napi::Array operators = Napi::Array::New(info.Env(), times.size());
    uint32_t i = 0;
    for (const auto& [name, time] : times) {
      Napi::Array each = Napi::Array::New(info.Env(), 4);
      each.Set(0u, name);
      each.Set(1u, static_cast<double>(time.calls));
      each.Set(2u, static_cast<double>(time.selfNs));
      each.Set(3u, static_cast<double>(time.totalNs));
      operators.Set(i++, each);
    }
    return Napi::Value(operators);
  });
}

}  // namespace

void registerProfile(Napi::Env env, Napi::Object exports) {
  // A thread may be ended in the middle of a profile.
  env.AddCleanupHook([env = napi_env(env)] {
    const std::lock_guard<std::mutex> lock(mutex);
    if (owner == env) owner = nullptr;
  });
  exports.Set("startProfile", Napi::Function::New(env, startProfile));
  exports.Set("stopProfile", Napi::Function::New(env, stopProfile));
}

}  // namespace shallows
