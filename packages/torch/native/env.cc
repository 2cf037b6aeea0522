#include "env.h"

#include <c10/util/Exception.h>

namespace shallows {

EnvData& EnvData::of(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return *static_cast<EnvData*>(data);
}

at::Tensor& EnvData::tensor(double handle) {
  at::Tensor* found = tensors.find(handle);
  TORCH_CHECK(found != nullptr, "expected a live tensor, got one that was disposed");
  return *found;
}

at::Generator& EnvData::generator(double handle) {
  at::Generator* found = generators.find(handle);
  TORCH_CHECK(found != nullptr, "expected a live generator, got one that was disposed");
  return *found;
}

}  // namespace shallows
