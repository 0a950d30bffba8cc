// What limit_loops.cc chooses from. Private to kernels/.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tophand::kernels::detail {

using ReadFn = std::uint64_t (*)(const std::byte* data, std::size_t bytes);

// nullptr when `streams` is not in kReadStreamCounts.
ReadFn read_scalar(unsigned streams);
std::uint64_t multiply_add_scalar(std::uint64_t rounds);

#if defined(__x86_64__)
ReadFn read_avx2(unsigned streams);
ReadFn read_avx512(unsigned streams);
std::uint64_t maddubs_to_int16(std::uint64_t rounds);
std::uint64_t maddubs_to_int32(std::uint64_t rounds);
std::uint64_t dpbusd_ymm(std::uint64_t rounds);
std::uint64_t dpbusd_zmm(std::uint64_t rounds);
std::uint64_t tdpbsud_tiles(std::uint64_t rounds);
#endif
#if defined(__aarch64__)
std::uint64_t sdot(std::uint64_t rounds);
#endif

}  // namespace tophand::kernels::detail
