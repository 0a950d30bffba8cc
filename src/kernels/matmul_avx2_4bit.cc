// The kernels of matmul_avx2.cc for codes of 4 and 8 bits.
#if defined(__x86_64__)

#define TOPHAND_TARGET __attribute__((target("avx2,fma,f16c")))
#define TOPHAND_YMM_VNNI 0
#include "kernels/matmul_ymm.h"
#include "kernels/matmul_ymm.inc"

namespace tophand::kernels::detail {

const KernelSet* avx2_4bit(Encoding encoding) {
  return find_set<Encoding::kQ4_0, Encoding::kQ4_1, Encoding::kQ4_K, Encoding::kQ8_0>(encoding);
}

}  // namespace tophand::kernels::detail

#endif  // __x86_64__
