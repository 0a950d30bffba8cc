// What this machine can do at most, measured: reading memory and caches, multiplying int8. Decoding
// is bounded by the first (every weight is read for every token), prefill by the last.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernels/cpu.h"

namespace tophand::engine {

struct CacheRate {
  int level = 0;
  std::int64_t bytes = 0;         // what each thread read over and over
  double bytes_per_second = 0.0;  // all threads together
};

struct MultiplyAddRate {
  std::string instructions;
  double per_second = 0.0;  // products of two int8 added up, all threads together
};

struct MachineLimits {
  double memory_bytes_per_second = 0.0;
  unsigned memory_streams = 0;    // how many streams a thread gave that
  std::int64_t memory_bytes = 0;  // read each time; 0: too little memory free to measure
  std::vector<CacheRate> caches;  // second level and up, as far as the system describes them
  std::vector<MultiplyAddRate> multiply_adds;  // the one that the kernels are judged by first

  // The better of two measurements, figure by figure: what disturbs one only makes it slower.
  void keep_best(const MachineLimits& other);
};

// Takes one to three seconds and, for as long, up to kReadBytesMax of memory (at most a quarter of
// what is free). Each figure is the best of several short runs on `threads` threads. kCancelled
// when keep_going() says false between two of them.
inline constexpr std::int64_t kReadBytesMax = std::int64_t{3} << 29;
Result<MachineLimits> measure_limits(int threads, kernels::Isa isa,
                                     const std::function<bool()>& keep_going);

}  // namespace tophand::engine
