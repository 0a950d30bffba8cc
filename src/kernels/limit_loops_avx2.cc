#if defined(__x86_64__)

#include <immintrin.h>

#include "kernels/limit_loops.h"
#include "kernels/limit_loops_impl.h"

#define TOPHAND_TARGET __attribute__((target("avx2")))

namespace tophand::kernels::detail {
namespace {

constexpr int kSums = 10;  // products wait five cycles, two a cycle; ten sums fit 16 registers

TOPHAND_TARGET std::uint64_t sum_of_lanes(__m256i v) {
  std::uint64_t lanes[4];
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(lanes), v);
  return lanes[0] + lanes[1] + lanes[2] + lanes[3];
}

template <unsigned kStreams>
TOPHAND_TARGET std::uint64_t read(const std::byte* data, std::size_t bytes) {
  __m256i sums[kStreams] = {};
  const std::size_t range = bytes / kStreams;
  for (std::size_t at = 0; at < range; at += kReadUnitBytes) {
#pragma GCC unroll 8
    for (unsigned s = 0; s < kStreams; ++s) {
      const auto* p = reinterpret_cast<const __m256i*>(data + s * range + at);
      const __m256i low = _mm256_add_epi64(_mm256_load_si256(p), _mm256_load_si256(p + 1));
      const __m256i high = _mm256_add_epi64(_mm256_load_si256(p + 2), _mm256_load_si256(p + 3));
      sums[s] = _mm256_add_epi64(sums[s], _mm256_add_epi64(low, high));
    }
  }
  std::uint64_t sum = 0;
  for (const __m256i& part : sums) sum += sum_of_lanes(part);
  return sum;
}

}  // namespace

ReadFn read_avx2(unsigned streams) {
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

// The empty asm statements keep the compiler from seeing that every product is the same one, and
// cost no instruction.
TOPHAND_TARGET std::uint64_t maddubs_to_int16(std::uint64_t rounds) {
  __m256i sums[kSums] = {};
  __m256i a = _mm256_set1_epi8(1), b = _mm256_set1_epi8(2);
  for (std::uint64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 10
    for (int k = 0; k < kSums; ++k) {
      asm volatile("" : "+x"(a));
      sums[k] = _mm256_add_epi16(sums[k], _mm256_maddubs_epi16(a, b));
      asm volatile("" : "+x"(sums[k]));
    }
  }
  return rounds * kSums * 32;
}

TOPHAND_TARGET std::uint64_t maddubs_to_int32(std::uint64_t rounds) {
  __m256i sums[kSums] = {};
  __m256i a = _mm256_set1_epi8(1), b = _mm256_set1_epi8(2), ones = _mm256_set1_epi16(1);
  for (std::uint64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 10
    for (int k = 0; k < kSums; ++k) {
      asm volatile("" : "+x"(a));
      const __m256i pairs = _mm256_maddubs_epi16(a, b);
      sums[k] = _mm256_add_epi32(sums[k], _mm256_madd_epi16(pairs, ones));
      asm volatile("" : "+x"(sums[k]));
    }
  }
  return rounds * kSums * 32;
}

__attribute__((target("avx2,avxvnni"))) std::uint64_t dpbusd_ymm(std::uint64_t rounds) {
  __m256i sums[kSums] = {};
  __m256i a = _mm256_set1_epi8(1), b = _mm256_set1_epi8(2);
  for (std::uint64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 10
    for (int k = 0; k < kSums; ++k) {
      asm volatile("" : "+x"(a));
      sums[k] = _mm256_dpbusd_avx_epi32(sums[k], a, b);
      asm volatile("" : "+x"(sums[k]));
    }
  }
  return rounds * kSums * 32;
}

}  // namespace tophand::kernels::detail

#endif
