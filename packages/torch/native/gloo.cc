#define USE_C10D_GLOO

#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include <cstdlib>
#include <sstream>

#include "backends.h"

namespace shallows {

c10::intrusive_ptr<c10d::Backend> makeGloo(const BackendOptions& options) {
  using Gloo = c10d::ProcessGroupGloo;
  auto settings = Gloo::Options::create(options.timeout);
  // The variable that PyTorch reads for the same purpose.
  if (const char* names = std::getenv("GLOO_SOCKET_IFNAME"); names != nullptr && *names != '\0') {
    std::stringstream list(names);
    for (std::string name; std::getline(list, name, ',');) {
      settings->devices.push_back(Gloo::createDeviceForInterface(name));
    }
  } else if (!options.address.empty()) {
    settings->devices.push_back(Gloo::createDeviceForHostname(options.address));
  } else {
    settings->devices.push_back(Gloo::createDefaultDevice());
  }
  settings->threads = static_cast<int>(settings->devices.size() * 2);
  return c10::make_intrusive<Gloo>(options.store, options.rank, options.size, std::move(settings));
}

}  // namespace shallows
