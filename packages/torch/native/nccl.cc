#define USE_C10D_NCCL

#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include "backends.h"

namespace shallows {

c10::intrusive_ptr<c10d::Backend> makeNccl(const BackendOptions& options) {
  auto settings = c10d::ProcessGroupNCCL::Options::create();
  settings->timeout = options.timeout;
  return c10::make_intrusive<c10d::ProcessGroupNCCL>(options.store, options.rank, options.size, std::move(settings));
}

}  // namespace shallows
