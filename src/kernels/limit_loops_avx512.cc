#if defined(__x86_64__)

#include <immintrin.h>

#include "kernels/limit_loops.h"
#include "kernels/limit_loops_impl.h"

#define TOPHAND_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))

namespace tophand::kernels::detail {
namespace {

constexpr int kSums = 24;  // more than latency times ports of any CPU that has the instruction

template <unsigned kStreams>
TOPHAND_TARGET std::uint64_t read(const std::byte* data, std::size_t bytes) {
  __m512i sums[kStreams] = {};
  const std::size_t range = bytes / kStreams;
  for (std::size_t at = 0; at < range; at += kReadUnitBytes) {
#pragma GCC unroll 8
    for (unsigned s = 0; s < kStreams; ++s) {
      const std::byte* p = data + s * range + at;
      sums[s] = _mm512_add_epi64(sums[s],
                                 _mm512_add_epi64(_mm512_load_si512(p), _mm512_load_si512(p + 64)));
    }
  }
  std::uint64_t sum = 0;
  for (const __m512i& part : sums) {
    std::uint64_t lanes[8];
    _mm512_storeu_si512(lanes, part);
    for (const std::uint64_t lane : lanes) sum += lane;
  }
  return sum;
}

}  // namespace

ReadFn read_avx512(unsigned streams) {
  switch (streams) {
    case 1:
      return read<1>;
    case 2:
      return read<2>;
    case 4:
      return read<4>;
    case 8:
      return read<8>;
    default:
      return nullptr;
  }
}

// The empty asm keeps the compiler from seeing that every product is the same one.
TOPHAND_TARGET std::uint64_t dpbusd_zmm(std::uint64_t rounds) {
  __m512i sums[kSums] = {};
  __m512i a = _mm512_set1_epi8(1), b = _mm512_set1_epi8(2);
  for (std::uint64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 24
    for (int k = 0; k < kSums; ++k) {
      sums[k] = _mm512_dpbusd_epi32(sums[k], a, b);
      asm volatile("" : "+v"(sums[k]));
    }
  }
  return rounds * kSums * 64;
}

}  // namespace tophand::kernels::detail

#endif
