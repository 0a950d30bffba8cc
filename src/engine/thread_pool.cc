#include "engine/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <set>
#include <string>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tophand::engine {
namespace {

// How long a lane looks for what it waits for before it sleeps: longer than the steps between
// barriers even where a neighbour holds one lane up, shorter than a time slice. Waking costs some
// 50 microseconds, and whoever waits for the woken one may fall asleep meanwhile: with a tenth of
// this, 16 lanes of BitNet 2B on a Xeon decoded 16 to 64 tokens a second, changing from minute to
// minute, with it 97 to 115.
constexpr std::chrono::microseconds kSpinTime{1000};
constexpr int kPausesBetweenLooksAtTheClock = 64;

void pause_cpu() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

void wait_while_equal(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  const auto end = std::chrono::steady_clock::now() + kSpinTime;
  do {
    for (int i = 0; i < kPausesBetweenLooksAtTheClock; ++i) {
      if (value.load(std::memory_order_acquire) != old) return;
      pause_cpu();
    }
  } while (std::chrono::steady_clock::now() < end);
  while (value.load(std::memory_order_acquire) == old) value.wait(old, std::memory_order_acquire);
}

// The CPU quota of the cgroup (version 2), rounded up; 0 when there is none.
int quota_cores() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  long long period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return 0;
  if (quota.size() > 15 || quota.find_first_not_of("0123456789") != std::string::npos) return 0;
  return static_cast<int>(std::min((std::stoll(quota) + period - 1) / period, 4096LL));
}

// The lowest-numbered hyperthread of the core that `cpu` belongs to.
int first_sibling(int cpu) {
  std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                     "/topology/thread_siblings_list");
  int first = cpu;
  return (file >> first) ? first : cpu;
}

}  // namespace

int usable_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  std::set<int> cores;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) == 0)
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &allowed)) cores.insert(first_sibling(cpu));
  int count = std::max<int>(1, static_cast<int>(cores.size()));
  if (const int quota = quota_cores(); quota > 0) count = std::min(count, quota);
  return count;
}

ThreadPool::ThreadPool(int threads) {
  for (int lane = 1; lane < threads; ++lane) workers_.emplace_back([this, lane] { work(lane); });
}

ThreadPool::~ThreadPool() {
  stop_.store(true, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::work(int lane) {
  for (std::uint32_t seen = 0;; ++seen) {
    wait_while_equal(generation_, seen);
    if (stop_.load(std::memory_order_relaxed)) return;
    (*job_)(lane);
    barrier();
  }
}

void ThreadPool::run(const std::function<void(int)>& job) {
  const std::lock_guard<std::mutex> held(turn_);
  job_ = &job;
  if (!workers_.empty()) {
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
  }
  job(0);
  barrier();  // no worker touches the job after this
}

void ThreadPool::barrier() {
  if (workers_.empty()) {
    claimed_.store(0, std::memory_order_relaxed);
    return;
  }
  const std::uint32_t phase = phase_.load(std::memory_order_relaxed);
  const auto lanes = static_cast<std::uint32_t>(size());
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 < lanes) {
    wait_while_equal(phase_, phase);
    return;
  }
  arrived_.store(0, std::memory_order_relaxed);
  claimed_.store(0, std::memory_order_relaxed);
  phase_.store(phase + 1, std::memory_order_release);
  phase_.notify_all();
}

Range ThreadPool::claim(std::uint64_t n, std::uint64_t least, std::uint64_t most) {
  const auto lanes = static_cast<std::uint64_t>(size());
  // Relaxed: nothing but the number is handed over; the barriers order the data.
  std::uint64_t at = claimed_.load(std::memory_order_relaxed);
  while (at < n) {
    const std::uint64_t part = lanes == 1 ? n : (n - at) / (2 * lanes) / least * least;
    const std::uint64_t end = std::min(n, at + std::clamp(part, least, most));
    if (claimed_.compare_exchange_weak(at, end, std::memory_order_relaxed)) return {at, end};
  }
  return {n, n};
}

Range share_of(std::uint64_t n, int lane, int lanes) {
  const auto i = static_cast<std::uint64_t>(lane);
  const auto of = static_cast<std::uint64_t>(lanes);
  return {n * i / of, n * (i + 1) / of};
}

}  // namespace tophand::engine
