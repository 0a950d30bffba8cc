// The engine's threads. One job runs at a time, on every thread at once (SPMD): each gets its lane
// number and takes a share of every step, with barriers between steps. Waiting spins for a few
// microseconds, because steps are short, and then parks, because the machine is shared.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace tophand::engine {

// Cores this process may use: distinct physical ones in its affinity mask, at most the CPU quota
// of its cgroup; at least 1. A second hyperthread of a core adds nothing to these kernels.
int usable_cores();

// A part of [0, n).
struct Range {
  std::uint64_t begin = 0, end = 0;
  bool empty() const { return begin >= end; }
  std::uint64_t size() const { return empty() ? 0 : end - begin; }
};

class ThreadPool {
 public:
  explicit ThreadPool(int threads);  // starts threads - 1 workers; the caller of run() is lane 0
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls job(lane) once for every lane in [0, size()) and returns when all are done. Calls from
  // several threads take turns. The job must not throw.
  void run(const std::function<void(int lane)>& job);

  // Inside a job: waits until every lane got here. Every lane must make the same calls.
  void barrier();

  // Inside a job: the next part of [0, n) that no lane has taken since the last barrier; empty when
  // there is none left. Every lane asks until then. Parts shrink with what is left (guided
  // self-scheduling, Polychronopoulos and Kuck 1987), between `least` and `most`, so that lanes end
  // together although cores are not equally fast: another program, or a neighbour on the same
  // core, halves one.
  Range claim(std::uint64_t n, std::uint64_t least, std::uint64_t most);
  // Calls step(part) for every part that this lane claims.
  template <typename Step>
  void share(std::uint64_t n, std::uint64_t least, std::uint64_t most, const Step& step) {
    for (Range part = claim(n, least, most); !part.empty(); part = claim(n, least, most))
      step(part);
  }

 private:
  void work(int lane);

  std::mutex turn_;  // held for the length of a run()
  const std::function<void(int)>* job_ = nullptr;
  std::atomic<bool> stop_{false};
  alignas(64) std::atomic<std::uint32_t> generation_{0};  // a new value is a new job
  alignas(64) std::atomic<std::uint32_t> arrived_{0};
  alignas(64) std::atomic<std::uint32_t> phase_{0};    // a new value opens the barrier
  alignas(64) std::atomic<std::uint64_t> claimed_{0};  // what claim() has handed out
  std::vector<std::thread> workers_;
};

// The part of [0, n) that belongs to `lane` of `lanes`: contiguous, sizes differ by at most one.
Range share_of(std::uint64_t n, int lane, int lanes);

}  // namespace tophand::engine
