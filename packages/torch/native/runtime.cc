#include "runtime.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <c10/util/Exception.h>
#include <torch/version.h>
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 9)
#include <c10/core/CachingDeviceAllocator.h>
#define SHALLOWS_DEVICE_STATS 1
#endif

#include <mutex>

#include "boundary.h"
#include "env.h"

namespace shallows {
namespace {

uint64_t seedOf(const Napi::Value& value) {
  bool lossless = false;
  const uint64_t seed = value.As<Napi::BigInt>().Uint64Value(&lossless);
  TORCH_CHECK(lossless, "expected a seed from 0 to 2^64 - 1");
  return seed;
}

Napi::Value version(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "version", [&] {
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("libtorch", TORCH_VERSION);
    result.Set("config", at::show_config());
    result.Set("parallel", at::get_parallel_info());
    return result;
  });
}

Napi::Value devices(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "devices", [&] {
    Napi::Array result = Napi::Array::New(info.Env());
    uint32_t index = 0;
    result.Set(index++, "cpu");
    if (at::hasCUDA()) {
      const int count = static_cast<int>(at::detail::getCUDAHooks().deviceCount());
      for (int i = 0; i < count; ++i) result.Set(index++, "cuda:" + std::to_string(i));
    }
    if (at::hasMPS()) result.Set(index++, "mps");
    return result;
  });
}

Napi::Value setNumThreads(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "setNumThreads", [&] {
    at::set_num_threads(info[0].ToNumber().Int32Value());
    return info.Env().Undefined();
  });
}

Napi::Value getNumThreads(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), at::get_num_threads());
}

// setDeterministic(value): whether operators compute the same bits in every run, or say that they cannot. Before: the
// value that it had.
Napi::Value setDeterministic(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "setDeterministic", [&] {
    auto& context = at::globalContext();
    const bool before = context.deterministicAlgorithms();
    const bool value = info[0].ToBoolean().Value();
    context.setDeterministicAlgorithms(value, false);
    context.setDeterministicCuDNN(value);
    return Napi::Boolean::New(info.Env(), before);
  });
}

Napi::Value determinism(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "determinism", [&] {
    auto& context = at::globalContext();
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("deterministicAlgorithms", context.deterministicAlgorithms());
    result.Set("deterministicCuDNN", context.deterministicCuDNN());
    result.Set("benchmarkCuDNN", context.benchmarkCuDNN());
    return result;
  });
}

// peakMemory(device): the most bytes that tensors of a device took at once; 0 where libtorch does not count them.
Napi::Value peakMemory(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "peakMemory", [&] {
    double bytes = 0;
#ifdef SHALLOWS_DEVICE_STATS
    const at::Device device(info[0].ToString().Utf8Value());
    if (device.is_cuda() && at::hasCUDA()) {
      using c10::CachingAllocator::StatType;
      const auto stats = c10::getDeviceAllocator(device.type())->getDeviceStats(device.has_index() ? device.index() : 0);
      bytes = static_cast<double>(stats.allocated_bytes[static_cast<size_t>(StatType::AGGREGATE)].peak);
    }
#endif
    return Napi::Number::New(info.Env(), bytes);
  });
}

Napi::Value manualSeed(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "manualSeed", [&] {
    at::manual_seed(seedOf(info[0]));
    return info.Env().Undefined();
  });
}

at::Generator makeGenerator(const at::Device& device) {
  if (device.is_cpu()) return at::detail::createCPUGenerator();
  TORCH_CHECK(device.is_cuda(), "expected a device of type cpu or cuda, got ", device);
  TORCH_CHECK(at::hasCUDA(), "expected a device that this libtorch has, got ", device);
  return at::detail::getCUDAHooks().getNewGenerator(device.index());
}

Napi::Value newGenerator(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "Generator", [&] {
    at::Generator generator = makeGenerator(at::Device(info[0].ToString().Utf8Value()));
    return Napi::Number::New(info.Env(), EnvData::of(info.Env()).generators.add(std::move(generator)));
  });
}

Napi::Value seedGenerator(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "Generator", [&] {
    at::Generator& generator = EnvData::of(info.Env()).generator(info[0].ToNumber().DoubleValue());
    std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_current_seed(seedOf(info[1]));
    return info.Env().Undefined();
  });
}

Napi::Value generatorState(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "Generator", [&] {
    auto& data = EnvData::of(info.Env());
    at::Generator& generator = data.generator(info[0].ToNumber().DoubleValue());
    std::lock_guard<std::mutex> lock(generator.mutex());
    return Napi::Number::New(info.Env(), data.tensors.add(generator.get_state()));
  });
}

Napi::Value setGeneratorState(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "Generator", [&] {
    auto& data = EnvData::of(info.Env());
    at::Generator& generator = data.generator(info[0].ToNumber().DoubleValue());
    const at::Tensor& state = data.tensor(info[1].ToNumber().DoubleValue());
    std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_state(state);
    return info.Env().Undefined();
  });
}

Napi::Value disposeGenerator(const Napi::CallbackInfo& info) {
  auto& data = EnvData::of(info.Env());
  return Napi::Boolean::New(info.Env(), data.generators.remove(info[0].ToNumber().DoubleValue()));
}

// libtorch's warnings of this thread wait here until JavaScript asks for them.
class WarningQueue : public c10::WarningHandler {
 public:
  void process(const c10::Warning& warning) override { messages.push_back(warning.msg()); }
  std::vector<std::string> messages;
};

thread_local WarningQueue warningQueue;

Napi::Value takeWarnings(const Napi::CallbackInfo& info) {
  Napi::Array result = Napi::Array::New(info.Env());
  uint32_t index = 0;
  for (const auto& message : warningQueue.messages) result.Set(index++, message);
  warningQueue.messages.clear();
  return result;
}

Napi::Value hasWarnings(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), warningsPending());
}

}  // namespace

bool warningsPending() { return !warningQueue.messages.empty(); }

void registerRuntime(Napi::Env env, Napi::Object exports) {
  c10::WarningUtils::set_warning_handler(&warningQueue);
  exports.Set("version", Napi::Function::New(env, version));
  exports.Set("devices", Napi::Function::New(env, devices));
  exports.Set("setNumThreads", Napi::Function::New(env, setNumThreads));
  exports.Set("getNumThreads", Napi::Function::New(env, getNumThreads));
  exports.Set("setDeterministic", Napi::Function::New(env, setDeterministic));
  exports.Set("determinism", Napi::Function::New(env, determinism));
  exports.Set("peakMemory", Napi::Function::New(env, peakMemory));
  exports.Set("manualSeed", Napi::Function::New(env, manualSeed));
  exports.Set("newGenerator", Napi::Function::New(env, newGenerator));
  exports.Set("seedGenerator", Napi::Function::New(env, seedGenerator));
  exports.Set("generatorState", Napi::Function::New(env, generatorState));
  exports.Set("setGeneratorState", Napi::Function::New(env, setGeneratorState));
  exports.Set("disposeGenerator", Napi::Function::New(env, disposeGenerator));
  exports.Set("takeWarnings", Napi::Function::New(env, takeWarnings));
  exports.Set("hasWarnings", Napi::Function::New(env, hasWarnings));
}

}  // namespace shallows
