// AVX-VNNI (256 bits: Alder Lake and later, Zen 5): vpdpbusd multiplies 32 unsigned codes with 32
// signed activations and adds groups of four into 8 int32 lanes, which are rows. No saturation.
#if defined(__x86_64__)

#define TOPHAND_TARGET __attribute__((target("avx2,fma,f16c,avxvnni")))
#define TOPHAND_YMM_VNNI 1
#include "kernels/matmul_lut.h"
#include "kernels/matmul_ymm.inc"

namespace tophand::kernels::detail {

void matmul_avxvnni(const MatmulTask& task) {
  run_matmul_with_lut(task, kSets[static_cast<std::size_t>(task.w.source)]);
}

}  // namespace tophand::kernels::detail

#endif  // __x86_64__
