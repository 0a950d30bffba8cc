#include "kernels/cpu.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace tophand::kernels {
namespace {

#if defined(__x86_64__)
constexpr bool kIsX86 = true;
#else
constexpr bool kIsX86 = false;
#endif
#if defined(__aarch64__)
constexpr bool kIsArm64 = true;
#else
constexpr bool kIsArm64 = false;
#endif

bool has_neon_dot() {
#if defined(__aarch64__) && defined(__linux__)
  return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#else
  return false;
#endif
}

// The compiler's run-time test also asks the operating system (XGETBV) whether it saves the wide
// registers. BMI2 came with AVX2 (Intel Haswell) or before it (AMD Excavator).
bool has_avx2() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("f16c") && __builtin_cpu_supports("bmi") &&
         __builtin_cpu_supports("bmi2");
#else
  return false;
#endif
}

// GCC 12 has no name for AVX-VNNI in its run-time test: CPUID leaf 7, sub-leaf 1, EAX bit 4 (Intel
// SDM, volume 2A).
bool has_avx_vnni() {
#if defined(__x86_64__)
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return has_avx2() && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax >> 4 & 1) != 0;
#else
  return false;
#endif
}

bool has_avx512_vnni() {
#if defined(__x86_64__)
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vnni");
#else
  return false;
#endif
}

// CPUID leaf 7, EDX bits 24 (tiles) and 25 (int8). Linux gives a process the state of the tiles
// when it asks (Documentation/arch/x86/xstate.rst): 8 KiB more a thread that uses them.
bool has_amx_int8() {
#if defined(__x86_64__) && defined(__linux__)
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!has_avx512_vnni() || __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
  constexpr unsigned kTilesAndInt8 = 3u << 24;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return (edx & kTilesAndInt8) == kTilesAndInt8 &&
         ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

}  // namespace

std::span<const IsaInfo> instruction_sets() {
  static const std::array<IsaInfo, 6> kSets = {{
      {Isa::kScalar, "scalar", true, true},
      {Isa::kNeonDot, "neon-dot", kIsArm64, has_neon_dot()},
      {Isa::kAvx2, "avx2", kIsX86, has_avx2()},
      {Isa::kAvxVnni, "avx-vnni", kIsX86, has_avx_vnni()},
      {Isa::kAvx512Vnni, "avx512-vnni", kIsX86, has_avx512_vnni()},
      {Isa::kAmxInt8, "amx-int8", kIsX86, has_amx_int8()},
  }};
  return kSets;
}

bool pick_isa(std::string_view only, Isa& out) {
  bool found = false;
  for (const IsaInfo& info : instruction_sets()) {
    if (!info.compiled || !info.runs_here) continue;
    if (!only.empty() && info.name != only) continue;
    out = info.isa;
    found = true;
  }
  return found;
}

bool made_by_amd() {
#if defined(__x86_64__)
  return __builtin_cpu_is("amd") != 0;
#else
  return false;
#endif
}

std::string cpu_model_name() {
#if defined(__x86_64__)
  std::array<unsigned, 12> words{};
  if (__get_cpuid_max(0x80000000u, nullptr) < 0x80000004u) return "unknown";
  for (unsigned leaf = 0; leaf < 3; ++leaf) {
    unsigned* w = &words[std::size_t{4} * leaf];
    __get_cpuid(0x80000002u + leaf, w, w + 1, w + 2, w + 3);
  }
  std::array<char, sizeof words + 1> text{};
  std::memcpy(text.data(), words.data(), sizeof words);
  std::string name = text.data();  // NUL-terminated; padded with blanks on some CPUs
  const auto begin = name.find_first_not_of(' ');
  if (begin == std::string::npos) return "unknown";
  return name.substr(begin, name.find_last_not_of(' ') - begin + 1);
#else
  return "unknown";
#endif
}

}  // namespace tophand::kernels
