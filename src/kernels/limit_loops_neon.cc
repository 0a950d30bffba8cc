#if defined(__aarch64__)

#include <arm_neon.h>

#include "kernels/limit_loops_impl.h"

namespace tophand::kernels::detail {

__attribute__((target("arch=armv8.2-a+dotprod"))) std::uint64_t sdot(std::uint64_t rounds) {
  constexpr int kSums = 24;  // latency 4, at most four a cycle; 24 of 32 registers
  int32x4_t sums[kSums] = {};
  const int8x16_t a = vdupq_n_s8(1), b = vdupq_n_s8(2);
  for (std::uint64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 24
    for (int k = 0; k < kSums; ++k) {
      sums[k] = vdotq_s32(sums[k], a, b);
      asm volatile("" : "+w"(sums[k]));  // not the same product each time, for the compiler
    }
  }
  return rounds * kSums * 16;
}

}  // namespace tophand::kernels::detail

#endif
