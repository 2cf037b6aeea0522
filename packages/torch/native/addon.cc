#include <napi.h>

#include "autocast.h"
#include "autograd.h"
#include "batch_norm.h"
#include "checkpoint.h"
#include "dispatch.h"
#ifdef SHALLOWS_DISTRIBUTED
#include "distributed.h"
#endif
#include "env.h"
#include "fast_kernels.h"
#ifdef SHALLOWS_JPEG
#include "jpeg.h"
#endif
#include "keyed.h"
#include "linear.h"
#include "memory.h"
#include "profile.h"
#include "residual.h"
#include "runtime.h"
#include "tensor.h"

// Each environment (main thread, worker) gets its own state, freed when it ends.
Napi::Object Init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new shallows::EnvData());
  shallows::registerDispatch(env, exports);
  shallows::registerMemory(env, exports);
  shallows::registerTensor(env, exports);
  shallows::registerAutograd(env, exports);
  shallows::registerAutocast(env, exports);
  shallows::registerCheckpoint(env, exports);
  shallows::registerRuntime(env, exports);
  shallows::registerFastKernels(env, exports);
  shallows::registerProfile(env, exports);
  shallows::registerResidual();
  shallows::registerKeyed();
  shallows::registerLinear();
  shallows::registerBatchNorm();
#ifdef SHALLOWS_JPEG
  shallows::registerJpeg();
#endif
#ifdef SHALLOWS_DISTRIBUTED
  shallows::registerDistributed(env, exports);
#endif
  return exports;
}

NODE_API_MODULE(shallows_torch, Init)
