// The kernels of matmul_avxvnni.cc for codes of 1 and 2 bits.
#if defined(__x86_64__)

#define TOPHAND_TARGET __attribute__((target("avx2,fma,f16c,avxvnni")))
#define TOPHAND_YMM_VNNI 1
#include "kernels/matmul_ymm.h"
#include "kernels/matmul_ymm.inc"

namespace tophand::kernels::detail {

const KernelSet* avxvnni_2bit(Encoding encoding) {
  return find_set<Encoding::kQ2_0, Encoding::kQ1_0, Encoding::kPQ2_0, Encoding::kPTQ1_0,
                  Encoding::kTQ1_0, Encoding::kTQ2_0, Encoding::kI2_S>(encoding);
}

}  // namespace tophand::kernels::detail

#endif  // __x86_64__
