// Which instruction sets this CPU and operating system offer, and which one the kernels use.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tophand::kernels {

enum class Isa : std::uint8_t { kScalar, kNeonDot, kAvx2, kAvxVnni, kAvx512Vnni, kAmxInt8 };

// AMX is AVX-512 VNNI with products of many tokens on top.
constexpr bool has_avx512(Isa isa) {
  return isa == Isa::kAvx512Vnni || isa == Isa::kAmxInt8;
}

struct IsaInfo {
  Isa isa;
  std::string_view name;  // what `tophand doctor`, --kernel and benchmarks print
  bool compiled;          // in this binary
  bool runs_here;
};

std::span<const IsaInfo> instruction_sets();  // slowest first; [0] is scalar, the reference

// The fastest that runs here, or the one named by `only`. False when `only` is unknown or cannot
// run: a forced kernel never falls back in silence.
bool pick_isa(std::string_view only, Isa& out);

bool made_by_amd();  // by CPUID; false elsewhere

std::string cpu_model_name();  // "AMD EPYC ...", from CPUID; "unknown" elsewhere

}  // namespace tophand::kernels
