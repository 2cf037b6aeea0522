#include "memory.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <mutex>
#include <string>

#include "block_cache.h"
#include "boundary.h"

namespace shallows {
namespace {

// Asking the system costs about 20 µs: only allocations from here on pay it.
constexpr size_t kLarge = 32u * 1024 * 1024;
constexpr double kUnlimited = std::numeric_limits<double>::infinity();

std::atomic<double> limit{kUnlimited};

// The first number after `key` in a file of the system, or +inf.
double numberIn(const char* path, const std::string& key) {
  std::ifstream file(path);
  std::string word;
  while (file >> word) {
    if (key.empty() || word == key) {
      double value = 0;
      if (key.empty()) {
        try {
          return std::stod(word);
        } catch (...) {
          return kUnlimited;  // "max"
        }
      }
      return file >> value ? value : kUnlimited;
    }
  }
  return kUnlimited;
}

// Bytes that can still be had: of the machine, and of the control group that the process runs in.
double availableBytes() {
  double bytes = numberIn("/proc/meminfo", "MemAvailable:") * 1024;
  const auto group = [&](const char* most, const char* used, const char* stat) {
    const double room = numberIn(most, "") - numberIn(used, "");
    // The file cache counts as used but is given up on demand.
    const double cache = numberIn(stat, "inactive_file");
    if (std::isfinite(room)) bytes = std::min(bytes, room + (std::isfinite(cache) ? cache : 0));
  };
  group("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat");
  group("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes",
        "/sys/fs/cgroup/memory/memory.stat");
  return bytes;
}

int64_t megabytes(double bytes) { return static_cast<int64_t>(bytes / 1e6); }

// Throws where so many bytes must not be asked of the system.
void check(size_t bytes) {
  if (bytes < kLarge) return;
  const auto wanted = static_cast<double>(bytes);
  const double available = availableBytes();
  TORCH_CHECK(wanted < available * 0.9, "out of memory: expected an allocation below ", megabytes(available * 0.9),
              " MB, what is free here, got ", megabytes(wanted), " MB");
}

BlockCache* cache = nullptr;
c10::Allocator* plain = nullptr;

// Large blocks come from the cache, the rest from libtorch's own allocator.
class CarefulAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    const auto wanted = static_cast<double>(bytes);
    const double most = limit.load(std::memory_order_relaxed);
    TORCH_CHECK(wanted <= most, "out of memory: expected an allocation of at most ", megabytes(most), " MB, got ",
                megabytes(wanted), " MB");
    if (cache != nullptr && bytes >= BlockCache::kFrom) return cache->allocate(bytes);
    check(bytes);
    return plain->allocate(bytes);
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t count) const override { plain->copy_data(to, from, count); }

 private:
  static void release(void* data) {
    (cache != nullptr && cache->owns(data) ? cache->raw_deleter() : plain->raw_deleter())(data);
  }
};

// Whether the user has settings of their own for what becomes of freed memory: these stand.
bool hasOwnSettings() {
  for (const char* name : {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"}) {
    if (std::getenv(name) != nullptr) return true;
  }
  return false;
}

// What a step freed is for the next step. By default the C library maps large blocks afresh each time, and the system clears
// each page again: a fifth of the time of a small network's step. What libtorch's own libraries work in is the C library's
// still.
void keepFreedMemory() {
#ifdef __GLIBC__
  // Older versions take no threshold above 32 MB.
  if (mallopt(M_MMAP_THRESHOLD, 1 << 30) == 0) mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
#endif
}

// emptyCache(): gives memory that is kept for reuse back to the system.
void emptyCache(const Napi::CallbackInfo&) {
  if (cache != nullptr) cache->empty();
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

// setAllocationLimit(bytes): the most that one allocation may take.
Napi::Value setAllocationLimit(const Napi::CallbackInfo& info) {
  limit.store(info[0].ToNumber().DoubleValue());
  return info.Env().Undefined();
}

}  // namespace

void registerMemory(Napi::Env env, Napi::Object exports) {
  static std::once_flag once;
  std::call_once(once, [] {
    if (!hasOwnSettings()) {
      keepFreedMemory();
      cache = BlockCache::create(check);
    }
    plain = c10::GetCPUAllocator();
    c10::SetCPUAllocator(new CarefulAllocator, 1);
  });
  exports.Set("emptyCache", Napi::Function::New(env, emptyCache));
  exports.Set("setAllocationLimit", Napi::Function::New(env, setAllocationLimit));
}

}  // namespace shallows
