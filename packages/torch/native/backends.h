// What moves tensors between ranks: libtorch's own process groups.
#pragma once

#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include <chrono>
#include <string>

namespace shallows {

struct BackendOptions {
  c10::intrusive_ptr<c10d::Store> store;
  int rank;
  int size;
  std::chrono::milliseconds timeout;
  // An address of this machine that others reach it by, or of none: the system's name of it.
  std::string address;
};

// Both wait for all ranks.
c10::intrusive_ptr<c10d::Backend> makeGloo(const BackendOptions& options);
#ifdef SHALLOWS_NCCL
c10::intrusive_ptr<c10d::Backend> makeNccl(const BackendOptions& options);
#endif

}  // namespace shallows
