#include "engine/benchmark/machine_limits.h"

#include <algorithm>
#include <atomic>
#include <fstream>
#include <span>

#include "base/clock.h"
#include "engine/memory.h"
#include "engine/thread_pool.h"
#include "kernels/limit_loops.h"

namespace tophand::engine {
namespace {

constexpr std::int64_t kReadBytesMin = std::int64_t{512} << 20;
constexpr int kRounds = 4;
// Long against the microseconds that starting all threads takes, short against a time slice.
constexpr double kRunSeconds = 0.01;
constexpr std::size_t kUnit = kernels::kReadUnitBytes * 8;  // whole units for up to 8 streams

struct Cache {
  int level = 0;
  std::int64_t bytes = 0;
};

// Data and unified caches of the first CPU, as Linux describes them; sizes there read "2048K".
std::vector<Cache> describe_caches() {
  std::vector<Cache> out;
  for (int index = 0; index < 8; ++index) {
    const std::string folder =
        "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/";
    std::ifstream level_file(folder + "level"), type_file(folder + "type"),
        size_file(folder + "size");
    Cache cache;
    std::string type;
    std::int64_t kib = 0;
    char unit = 0;
    if (!(level_file >> cache.level) || !(type_file >> type) || !(size_file >> kib >> unit)) break;
    if (type == "Instruction" || unit != 'K' || kib <= 0 || kib > (1 << 24)) continue;
    cache.bytes = kib * 1024;
    out.push_back(cache);
  }
  return out;
}

std::int64_t largest_cache(const std::vector<Cache>& caches) {
  std::int64_t bytes = 0;
  for (const Cache& cache : caches) bytes = std::max(bytes, cache.bytes);
  return bytes;
}

double seconds_of(ThreadPool& pool, const std::function<void(int)>& job) {
  const std::int64_t begin = system_clock().mono_ns();
  pool.run(job);
  return static_cast<double>(system_clock().mono_ns() - begin) / 1e9;
}

class Meter {
 public:
  Meter(int threads, kernels::Isa isa, const std::function<bool()>& keep_going)
      : pool_(threads), isa_(isa), keep_going_(keep_going) {}

  Result<MachineLimits> run() {
    const std::vector<Cache> caches = describe_caches();
    MachineLimits out;
    TOPHAND_CHECK("measure the machine", take_buffer(largest_cache(caches)));
    if (buffer_.size() > 0) TOPHAND_CHECK("measure the machine", measure_memory(out));
    for (const Cache& cache : caches)
      if (cache.level >= 2) TOPHAND_CHECK("measure the machine", measure_cache(caches, cache, out));
    TOPHAND_CHECK("measure the machine", measure_multiply_adds(out));
    return out;
  }

 private:
  Result<> check() const {
    if (!keep_going_ || keep_going_()) return {};
    return fail(Code::kCancelled, "stopped");
  }

  // Several times the largest cache, or it would be the cache that is measured.
  Result<> take_buffer(std::int64_t cache_bytes) {
    std::int64_t bytes = std::clamp(3 * cache_bytes, kReadBytesMin, kReadBytesMax);
    if (const std::int64_t free = available_memory_bytes(); free > 0)
      bytes = std::min(bytes, free / 4);
    const std::size_t lanes = static_cast<std::size_t>(pool_.size());
    lane_bytes_ = static_cast<std::size_t>(bytes) / lanes / kUnit * kUnit;
    TOPHAND_TRY(buffer, "buffer", PageBuffer::allocate(lane_bytes_ * lanes));
    buffer_ = std::move(buffer);
    pool_.run([&](int lane) { std::fill_n(mine(lane), lane_bytes_, std::byte{1}); });
    return check();
  }

  std::byte* mine(int lane) const {
    return buffer_.data() + static_cast<std::size_t>(lane) * lane_bytes_;
  }

  // Reads the first `bytes` of every lane's part `times` times.
  double read_seconds(std::size_t bytes, unsigned streams, std::uint64_t times) {
    return seconds_of(pool_, [&](int lane) {
      std::uint64_t sum = 0;
      for (std::uint64_t i = 0; i < times; ++i)
        sum += kernels::read_memory(isa_, {mine(lane), bytes}, streams);
      sink_.fetch_add(sum, std::memory_order_relaxed);  // so that the reads are not left out
    });
  }

  Result<> measure_memory(MachineLimits& out) {
    const auto total = static_cast<double>(buffer_.size());
    out.memory_bytes = static_cast<std::int64_t>(buffer_.size());
    for (int round = 0; round < kRounds; ++round) {
      for (const unsigned streams : kernels::kReadStreamCounts) {
        TOPHAND_CHECK("memory", check());
        const double rate = total / read_seconds(lane_bytes_, streams, 1);
        if (rate <= out.memory_bytes_per_second) continue;
        out.memory_bytes_per_second = rate;
        out.memory_streams = streams;
      }
    }
    return {};
  }

  // Half of a cache that each core has for itself; of a shared one a part that is beyond the level
  // below and leaves room for everybody.
  std::size_t bytes_within(const std::vector<Cache>& caches, const Cache& cache) const {
    std::int64_t bytes = cache.bytes / 2;
    for (const Cache& below : caches)
      if (below.level == cache.level - 1 && cache.level > 2)
        bytes = std::min(4 * below.bytes, cache.bytes / (std::int64_t{2} * pool_.size()));
    return std::min(static_cast<std::size_t>(bytes), lane_bytes_) / kUnit * kUnit;
  }

  Result<> measure_cache(const std::vector<Cache>& caches, const Cache& cache, MachineLimits& out) {
    const std::size_t bytes = bytes_within(caches, cache);
    if (bytes == 0) return {};
    CacheRate best{cache.level, static_cast<std::int64_t>(bytes), 0.0};
    const double once = read_seconds(bytes, 1, 1) + 1e-7;
    const auto times = static_cast<std::uint64_t>(1.0 + kRunSeconds / once);
    for (int round = 0; round < kRounds; ++round) {
      for (const unsigned streams : kernels::kReadStreamCounts) {
        TOPHAND_CHECK("cache", check());
        const double seconds = read_seconds(bytes, streams, times);
        const double read = static_cast<double>(bytes) * static_cast<double>(times) * pool_.size();
        best.bytes_per_second = std::max(best.bytes_per_second, read / seconds);
      }
    }
    out.caches.push_back(best);
    return {};
  }

  Result<> measure_multiply_adds(MachineLimits& out) {
    for (const kernels::MultiplyAdd& way : kernels::multiply_adds(isa_)) {
      MultiplyAddRate best{std::string(way.name), 0.0};
      std::uint64_t rounds = 1'000;
      for (int round = 0; round < 2 * kRounds;) {
        TOPHAND_CHECK("multiply", check());
        std::atomic<std::uint64_t> products{0};
        const double seconds = seconds_of(pool_, [&](int) { products += way.run(rounds); });
        best.per_second = std::max(best.per_second, static_cast<double>(products.load()) / seconds);
        if (seconds < kRunSeconds) rounds *= 2;
        else ++round;
      }
      out.multiply_adds.push_back(best);
    }
    return {};
  }

  ThreadPool pool_;
  kernels::Isa isa_;
  const std::function<bool()>& keep_going_;
  PageBuffer buffer_;  // lane_bytes_ for each lane
  std::size_t lane_bytes_ = 0;
  std::atomic<std::uint64_t> sink_{0};
};

}  // namespace

void MachineLimits::keep_best(const MachineLimits& other) {
  if (other.memory_bytes_per_second > memory_bytes_per_second) {
    memory_bytes_per_second = other.memory_bytes_per_second;
    memory_streams = other.memory_streams;
    memory_bytes = other.memory_bytes;
  }
  for (std::size_t i = 0; i < std::min(caches.size(), other.caches.size()); ++i)
    if (other.caches[i].bytes_per_second > caches[i].bytes_per_second) caches[i] = other.caches[i];
  for (std::size_t i = 0; i < std::min(multiply_adds.size(), other.multiply_adds.size()); ++i)
    if (other.multiply_adds[i].per_second > multiply_adds[i].per_second)
      multiply_adds[i] = other.multiply_adds[i];
}

Result<MachineLimits> measure_limits(int threads, kernels::Isa isa,
                                     const std::function<bool()>& keep_going) {
  Meter meter(threads, isa, keep_going);
  return meter.run();
}

}  // namespace tophand::engine
