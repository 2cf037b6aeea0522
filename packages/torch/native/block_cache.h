// Large blocks of memory, kept for the next tensors of about their size when they are freed.
#pragma once

#include <c10/core/Allocator.h>

#include <cstdint>
#include <mutex>
#include <set>
#include <unordered_map>

namespace shallows {

// A training step asks for about the same blocks as the step before. Each is a mapping of its own: heaps of many sizes fall
// into pieces that no block fits into, and grow. Blocks in use and kept ones together take a quarter more than was ever asked
// for at a time, at most. There a kept block of up to twice the size serves, and if there is none, those that were freed
// longest ago go back to the system.
//
// Never freed, and used from all threads.
class BlockCache final : public c10::Allocator {
 public:
  // The smallest block it is for.
  static constexpr size_t kFrom = 1u << 20;

  // The cache of this process; `check` throws for a number of bytes that must not be asked of the system. Null where the
  // system has no such mappings.
  static BlockCache* create(void (*check)(size_t));

  c10::DataPtr allocate(size_t bytes) override;
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t count) const override { default_copy_data(to, from, count); }

  // Whether `data` is a block in use.
  bool owns(void* data);
  // Gives back what is kept.
  void empty();

 private:
  struct Block {
    size_t size;
    uint64_t freed;
    void* data;
    // By size, and of one size the one that was freed last first: it may still be in the processor's cache.
    bool operator<(const Block& other) const { return size != other.size ? size < other.size : freed > other.freed; }
  };

  explicit BlockCache(void (*check)(size_t)) : check_(check) {}

  static void release(void* data);
  void* take(size_t size);
  void makeRoom(size_t size);
  void* use(const Block& block, size_t asked);
  size_t most(size_t asked) const;
  void* map(size_t size);
  void give(void* data);
  void returnOldest();

  void (*const check_)(size_t);
  std::mutex mutex_;
  std::set<Block> kept_;
  struct Use {
    size_t size;
    size_t asked;
  };

  std::unordered_map<void*, Use> used_;
  // Of all blocks, in use and kept.
  size_t bytes_ = 0;
  size_t asked_ = 0;
  size_t mostAsked_ = 0;
  uint64_t clock_ = 0;
};

}  // namespace shallows
