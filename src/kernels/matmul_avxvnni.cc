// AVX-VNNI (256 bits: Alder Lake and later, Zen 5): vpdpbusd multiplies 32 unsigned codes with 32
// signed activations and adds groups of four into 8 int32 lanes, which are rows. No saturation.
#if defined(__x86_64__)

#define TOPHAND_TARGET __attribute__((target("avx2,fma,f16c,avxvnni")))
#define TOPHAND_YMM_VNNI 1
#include "kernels/matmul_lut.h"
#include "kernels/matmul_ymm.h"
#include "kernels/matmul_ymm.inc"

namespace tophand::kernels::detail {

void matmul_avxvnni(const MatmulTask& task) {
  const Encoding encoding = task.w.source;
  const KernelSet* set = find_set<Encoding::kF32, Encoding::kF16, Encoding::kBF16>(encoding);
  if (set == nullptr) set = avxvnni_2bit(encoding);
  if (set == nullptr) set = avxvnni_4bit(encoding);
  if (set == nullptr) set = avxvnni_6bit(encoding);
  run_matmul_with_lut(task, *set);
}

}  // namespace tophand::kernels::detail

#endif  // __x86_64__
