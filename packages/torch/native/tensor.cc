#include "tensor.h"

#include <ATen/ATen.h>
#include <ATen/MapAllocator.h>

#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "boundary.h"
#include "env.h"
#include "frame.h"

namespace shallows {
namespace {

at::Tensor& tensorOf(const Napi::CallbackInfo& info, size_t index = 0) {
  return EnvData::of(info.Env()).tensor(info[index].ToNumber().DoubleValue());
}

// Writes integers to the frame at `base` and says how many; they all fit, as a tensor has at most 64 dimensions.
Napi::Value writeIntegers(const Napi::CallbackInfo& info, c10::IntArrayRef values) {
  auto& data = EnvData::of(info.Env());
  const auto base = static_cast<size_t>(info[1].ToNumber().Int64Value());
  TORCH_CHECK(base + values.size() <= data.frameLength, "internal: the call frame is too short");
  for (size_t i = 0; i < values.size(); ++i) data.frame[base + i] = static_cast<double>(values[i]);
  return Napi::Number::New(info.Env(), static_cast<double>(values.size()));
}

Napi::Value sizes(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "shape", [&] { return writeIntegers(info, tensorOf(info).sizes()); });
}

Napi::Value strides(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "strides", [&] { return writeIntegers(info, tensorOf(info).strides()); });
}

Napi::Value dtype(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "dtype",
                 [&] { return Napi::String::New(info.Env(), dtypeName(tensorOf(info).scalar_type())); });
}

Napi::Value device(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "device", [&] { return Napi::String::New(info.Env(), tensorOf(info).device().str()); });
}

Napi::Value numel(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "numel",
                 [&] { return Napi::Number::New(info.Env(), static_cast<double>(tensorOf(info).numel())); });
}

Napi::Value layout(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "layout", [&] {
    const at::Tensor& tensor = tensorOf(info);
    return Napi::String::New(info.Env(), tensor.is_nested() ? "nested" : layoutName(tensor.layout()));
  });
}

Napi::Value isContiguous(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "isContiguous", [&] {
    const bool channelsLast = info[1].ToBoolean().Value();
    return Napi::Boolean::New(info.Env(), tensorOf(info).is_contiguous(channelsLast ? at::MemoryFormat::ChannelsLast
                                                                                   : at::MemoryFormat::Contiguous));
  });
}

Napi::Value isSame(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "isSame",
                 [&] { return Napi::Boolean::New(info.Env(), tensorOf(info).is_same(tensorOf(info, 1))); });
}

// alias(handle): another handle for the same tensor, for an object that shares it.
Napi::Value alias(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "tensor", [&] {
    const at::Tensor tensor = tensorOf(info);
    return Napi::Number::New(info.Env(), EnvData::of(info.Env()).tensors.add(tensor));
  });
}

// dispose(handle): releases one; a stale handle is not an error, as the finalizer may come after an explicit release.
Napi::Value dispose(const Napi::CallbackInfo& info) {
  auto& data = EnvData::of(info.Env());
  return Napi::Boolean::New(info.Env(), data.tensors.remove(info[0].ToNumber().DoubleValue()));
}

// disposeFrame(base, count): releases the handles that stand in the frame. The end of every scope: without the wrappers of
// other calls, each of which takes longer than to free a tensor.
napi_value disposeFrame(napi_env env, napi_callback_info info) {
  size_t given = 2;
  napi_value arguments[2];
  void* own = nullptr;
  napi_get_cb_info(env, info, &given, arguments, nullptr, &own);
  auto& data = *static_cast<EnvData*>(own);
  double base = 0;
  double count = 0;
  napi_get_value_double(env, arguments[0], &base);
  napi_get_value_double(env, arguments[1], &count);
  const auto begin = static_cast<size_t>(base);
  const auto end = std::min(begin + static_cast<size_t>(count), data.frameLength);
  for (size_t i = begin; i < end; ++i) data.tensors.remove(data.frame[i]);
  return nullptr;
}

// fromBytes(bytes: Uint8Array, dtype, base, dimensions): a new CPU tensor with a copy of the bytes, its shape in the frame.
Napi::Value fromBytes(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "fromBytes", [&] {
    auto& data = EnvData::of(info.Env());
    TORCH_CHECK(info[0].IsTypedArray(), "internal: expected bytes");
    const auto bytes = info[0].As<Napi::Uint8Array>();
    c10::ScalarType type;
    TORCH_CHECK(parseDType(info[1].ToString().Utf8Value(), &type), "internal: unknown dtype");
    const auto base = static_cast<size_t>(info[2].ToNumber().Int64Value());
    const auto dimensions = static_cast<size_t>(info[3].ToNumber().Int64Value());
    std::vector<int64_t> shape;
    for (size_t i = 0; i < dimensions; ++i) shape.push_back(static_cast<int64_t>(data.frame[base + i]));
    at::Tensor tensor = at::empty(shape, at::dtype(type).device(at::kCPU));
    TORCH_CHECK(tensor.nbytes() == bytes.ByteLength(), "expected ", tensor.nbytes(), " bytes, got ",
                bytes.ByteLength());
    if (tensor.nbytes() > 0) std::memcpy(tensor.mutable_data_ptr(), bytes.Data(), tensor.nbytes());
    return Napi::Number::New(info.Env(), data.tensors.add(std::move(tensor)));
  });
}

at::Tensor plainBytes(const at::Tensor& tensor) {
  TORCH_CHECK(tensor.layout() == at::kStrided && !tensor.is_quantized(), "expected a dense tensor, got layout ",
              tensor.layout(), " - convert it with to_dense() first");
  at::NoGradGuard guard;
  // The gradients that autograd makes for what has none: they have a shape but no memory.
  if (tensor._is_zerotensor()) return at::zeros(tensor.sizes(), tensor.options().device(at::kCPU));
  return tensor.detach().resolve_conj().resolve_neg().to(at::kCPU).contiguous();
}

// toBytes(handle): a copy of the elements in row-major order, little-endian.
Napi::Value toBytes(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "toBytes", [&] {
    const at::Tensor plain = plainBytes(tensorOf(info));
    Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(info.Env(), plain.nbytes());
    if (plain.nbytes() > 0) std::memcpy(buffer.Data(), plain.const_data_ptr(), plain.nbytes());
    return buffer;
  });
}

// withMemory(handle, use): calls use(bytes) with the memory of the tensor itself, which is its own only until it returns: the
// buffer is then empty. False, without a call, for a tensor whose elements do not lie in this machine's memory in their order.
Napi::Value withMemory(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  at::Tensor tensor;
  const Napi::Value plain = guarded(env, "withMemory", [&] {
    tensor = tensorOf(info);
    return Napi::Boolean::New(env, tensor.is_cpu() && tensor.layout() == at::kStrided && tensor.has_storage() &&
                                       tensor.is_contiguous() && !tensor.is_conj() && !tensor.is_neg() &&
                                       !tensor._is_zerotensor() && tensor.nbytes() > 0);
  });
  if (env.IsExceptionPending() || !plain.ToBoolean().Value()) return plain;
  Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, tensor.mutable_data_ptr(), tensor.nbytes());
  try {
    info[1].As<Napi::Function>().Call({buffer});
  } catch (const Napi::Error&) {
    buffer.Detach();
    throw;
  }
  buffer.Detach();
  return plain;
}

// memory(): live tensors and the bytes of the distinct storages they hold.
Napi::Value memory(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "memory", [&] {
    auto& data = EnvData::of(info.Env());
    std::unordered_set<const void*> seen;
    double bytes = 0;
    data.tensors.each([&](const at::Tensor& tensor) {
      if (!tensor.defined() || !tensor.has_storage()) return;
      if (seen.insert(tensor.storage().unsafeGetStorageImpl()).second) {
        bytes += static_cast<double>(tensor.storage().nbytes());
      }
    });
    Napi::Object result = Napi::Object::New(info.Env());
    result.Set("liveTensors", static_cast<double>(data.tensors.live()));
    result.Set("bytes", bytes);
    return result;
  });
}

bool isMapped(const at::Storage& storage) { return at::MapAllocator::fromDataPtr(storage.data_ptr()) != nullptr; }

// storageBytes(handle): the bytes that a tensor accounts for. A view does not count the rest of a storage it shares, a tensor
// of the device "meta" has a size but no memory, and pages of a mapped file are the system's to take back.
Napi::Value storageBytes(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), "storageBytes", [&] {
    const at::Tensor& tensor = tensorOf(info);
    if (!tensor.has_storage() || tensor.is_meta() || isMapped(tensor.storage())) return Napi::Number::New(info.Env(), 0);
    const double most = static_cast<double>(tensor.storage().nbytes());
    return Napi::Number::New(info.Env(), std::min(most, static_cast<double>(tensor.nbytes())));
  });
}

// adjustMemory(change): tells the garbage collector about bytes it cannot see.
Napi::Value adjustMemory(const Napi::CallbackInfo& info) {
  int64_t total = 0;
  napi_adjust_external_memory(info.Env(), info[0].ToNumber().Int64Value(), &total);
  return Napi::Number::New(info.Env(), static_cast<double>(total));
}

}  // namespace

void registerTensor(Napi::Env env, Napi::Object exports) {
  exports.Set("sizes", Napi::Function::New(env, sizes));
  exports.Set("strides", Napi::Function::New(env, strides));
  exports.Set("dtype", Napi::Function::New(env, dtype));
  exports.Set("device", Napi::Function::New(env, device));
  exports.Set("numel", Napi::Function::New(env, numel));
  exports.Set("layout", Napi::Function::New(env, layout));
  exports.Set("isContiguous", Napi::Function::New(env, isContiguous));
  exports.Set("isSame", Napi::Function::New(env, isSame));
  exports.Set("alias", Napi::Function::New(env, alias));
  exports.Set("dispose", Napi::Function::New(env, dispose));
  napi_value function = nullptr;
  napi_create_function(env, "disposeFrame", NAPI_AUTO_LENGTH, disposeFrame, &EnvData::of(env), &function);
  exports.Set("disposeFrame", Napi::Value(env, function));
  exports.Set("fromBytes", Napi::Function::New(env, fromBytes));
  exports.Set("toBytes", Napi::Function::New(env, toBytes));
  exports.Set("withMemory", Napi::Function::New(env, withMemory));
  exports.Set("memory", Napi::Function::New(env, memory));
  exports.Set("storageBytes", Napi::Function::New(env, storageBytes));
  exports.Set("adjustMemory", Napi::Function::New(env, adjustMemory));
}

}  // namespace shallows
