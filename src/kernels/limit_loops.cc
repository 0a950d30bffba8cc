#include "kernels/limit_loops.h"

#include <array>
#include <cstring>

#include "kernels/limit_loops_impl.h"

namespace tophand::kernels {
namespace detail {
namespace {

template <unsigned kStreams>
std::uint64_t read(const std::byte* data, std::size_t bytes) {
  std::array<std::uint64_t, kStreams> sums{};
  const std::size_t range = bytes / kStreams;
  for (std::size_t at = 0; at < range; at += kReadUnitBytes) {
    for (unsigned s = 0; s < kStreams; ++s) {
      for (std::size_t i = 0; i < kReadUnitBytes; i += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, data + s * range + at + i, sizeof word);
        sums[s] += word;
      }
    }
  }
  std::uint64_t sum = 0;
  for (const std::uint64_t part : sums) sum += part;
  return sum;
}

}  // namespace

ReadFn read_scalar(unsigned streams) {
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

// What the scalar kernels do: one product at a time, four sums.
std::uint64_t multiply_add_scalar(std::uint64_t rounds) {
  std::int32_t sums[4] = {};
  std::int32_t a = 3, b = 5;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    for (std::int32_t& sum : sums) {
      asm volatile("" : "+r"(a));  // a new product each time
      sum += a * b;
      asm volatile("" : "+r"(sum));
    }
  }
  return rounds * 4;
}

}  // namespace detail

std::uint64_t read_memory(Isa isa, std::span<const std::byte> data, unsigned streams) {
  detail::ReadFn read = detail::read_scalar(streams);
#if defined(__x86_64__)
  if (has_avx512(isa)) read = detail::read_avx512(streams);
  else if (isa == Isa::kAvx2 || isa == Isa::kAvxVnni) read = detail::read_avx2(streams);
#endif
  (void)isa;
  return read == nullptr ? 0 : read(data.data(), data.size());
}

std::span<const MultiplyAdd> multiply_adds(Isa isa) {
  static constexpr MultiplyAdd kScalar[] = {
      {"scalar multiply and add", Isa::kScalar, detail::multiply_add_scalar}};
#if defined(__x86_64__)
  static constexpr MultiplyAdd kAvx512[] = {{"vpdpbusd zmm", Isa::kAvx512Vnni, detail::dpbusd_zmm}};
  static constexpr MultiplyAdd kAvx2[] = {
      {"vpmaddubsw+vpaddw ymm", Isa::kAvx2, detail::maddubs_to_int16},
      {"vpmaddubsw+vpmaddwd+vpaddd ymm", Isa::kAvx2, detail::maddubs_to_int32}};
  static constexpr MultiplyAdd kAvxVnni[] = {{"vpdpbusd ymm", Isa::kAvxVnni, detail::dpbusd_ymm}};
  static constexpr MultiplyAdd kAmx[] = {{"tdpbsud", Isa::kAmxInt8, detail::tdpbsud_tiles},
                                         {"vpdpbusd zmm", Isa::kAmxInt8, detail::dpbusd_zmm}};
  if (isa == Isa::kAmxInt8) return kAmx;
  if (isa == Isa::kAvx512Vnni) return kAvx512;
  if (isa == Isa::kAvxVnni) return kAvxVnni;
  if (isa == Isa::kAvx2) return kAvx2;
#endif
#if defined(__aarch64__)
  static constexpr MultiplyAdd kNeon[] = {{"sdot", Isa::kNeonDot, detail::sdot}};
  if (isa == Isa::kNeonDot) return kNeon;
#endif
  (void)isa;
  return kScalar;
}

}  // namespace tophand::kernels
