// The kernels of matmul_avxvnni.cc for codes of 5 and 6 bits.
#if defined(__x86_64__)

#define TOPHAND_TARGET __attribute__((target("avx2,fma,f16c,avxvnni")))
#define TOPHAND_YMM_VNNI 1
#include "kernels/matmul_ymm.h"
#include "kernels/matmul_ymm.inc"

namespace tophand::kernels::detail {

const KernelSet* avxvnni_6bit(Encoding encoding) {
  return find_set<Encoding::kQ5_0, Encoding::kQ5_1, Encoding::kQ5_K, Encoding::kQ6_K>(encoding);
}

}  // namespace tophand::kernels::detail

#endif  // __x86_64__
