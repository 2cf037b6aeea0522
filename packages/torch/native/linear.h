// x·Wᵀ + b as an operator of the dispatcher, forward and backward by the fastest product that libtorch has for it.
#pragma once

namespace shallows {

void registerLinear();

}  // namespace shallows
