#include "block_cache.h"

#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include <algorithm>

namespace shallows {

#ifdef __linux__

namespace {

constexpr size_t kPage = 4096;

BlockCache* theCache = nullptr;

}  // namespace

BlockCache* BlockCache::create(void (*check)(size_t)) { return theCache = new BlockCache(check); }

c10::DataPtr BlockCache::allocate(size_t bytes) {
  void* data = take((bytes + kPage - 1) / kPage * kPage);
  c10::profiledCPUMemoryReporter().New(data, bytes);
  return {data, data, &release, c10::Device(c10::DeviceType::CPU)};
}

void BlockCache::release(void* data) {
  c10::profiledCPUMemoryReporter().Delete(data);
  theCache->give(data);
}

void* BlockCache::take(size_t size) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = kept_.lower_bound(Block{size, UINT64_MAX, nullptr});
    if (found != kept_.end()) {
      const bool fits = found->size <= size + size / 8;
      const bool full = bytes_ + size > most(asked_ + size);
      if (fits || (full && found->size <= 2 * size)) {
        const Block block = *found;
        kept_.erase(found);
        return use(block, size);
      }
    }
  }
  makeRoom(size);
  try {
    check_(size);
  } catch (const c10::Error&) {
    // What is kept is not free to the system, but to us.
    empty();
    check_(size);
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  void* data = map(size);
  bytes_ += size;
  return use({size, 0, data}, size);
}

void BlockCache::makeRoom(size_t size) {
  const std::lock_guard<std::mutex> lock(mutex_);
  while (!kept_.empty() && bytes_ + size > most(asked_ + size)) returnOldest();
}

void* BlockCache::use(const Block& block, size_t asked) {
  used_.emplace(block.data, Use{block.size, asked});
  asked_ += asked;
  mostAsked_ = std::max(mostAsked_, asked_);
  return block.data;
}

// What all blocks may take where so many bytes are asked for.
size_t BlockCache::most(size_t asked) const {
  const size_t most = std::max(mostAsked_, asked);
  return most + most / 4;
}

void* BlockCache::map(size_t size) {
  for (;;) {
    void* data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data != MAP_FAILED) return data;
    TORCH_CHECK(!kept_.empty(), "out of memory: expected ", size / 1000000, " MB from the system, got none - take smaller ",
                "batches, or give the process more memory");
    returnOldest();
  }
}

void BlockCache::give(void* data) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = used_.find(data);
  kept_.insert({found->second.size, ++clock_, data});
  asked_ -= found->second.asked;
  used_.erase(found);
}

void BlockCache::returnOldest() {
  const auto oldest =
      std::min_element(kept_.begin(), kept_.end(), [](const Block& a, const Block& b) { return a.freed < b.freed; });
  munmap(oldest->data, oldest->size);
  bytes_ -= oldest->size;
  kept_.erase(oldest);
}

bool BlockCache::owns(void* data) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return used_.count(data) != 0;
}

void BlockCache::empty() {
  const std::lock_guard<std::mutex> lock(mutex_);
  while (!kept_.empty()) returnOldest();
  mostAsked_ = asked_;
}

#else

BlockCache* BlockCache::create(void (*)(size_t)) { return nullptr; }
c10::DataPtr BlockCache::allocate(size_t) { TORCH_CHECK(false, "expected a cache of blocks, got none on this system"); }
void BlockCache::release(void*) {}
bool BlockCache::owns(void*) { return false; }
void BlockCache::empty() {}

#endif

}  // namespace shallows
