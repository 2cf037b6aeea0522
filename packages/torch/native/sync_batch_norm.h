// shallows::sync_batch_norm: batch normalisation with the statistics of all ranks.
#pragma once

namespace shallows {

// Once a process.
void registerSyncBatchNorm();

}  // namespace shallows
