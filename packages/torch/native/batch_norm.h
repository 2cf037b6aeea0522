// Batch normalisation in training, with the relu that follows, as an operator of the dispatcher.
#pragma once

namespace shallows {

void registerBatchNorm();

}  // namespace shallows
