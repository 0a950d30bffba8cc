// AVX2: vpmaddubsw multiplies 32 unsigned codes with 32 signed activations and adds neighbours into
// 16 int16 lanes; vpmaddwd with ones adds neighbours again into 8 int32 lanes, which are 8 rows. A
// group of 16 rows is two halves.
//
// vpmaddubsw saturates and int16 sums wrap, so how many products may be added before they are
// widened follows from the largest code, with |activation| <= 127 (ActivationBlock):
//   2 bits: 8 sums of 2 *   3 * 127 =  6096       4 bits: 8 sums of 2 * 15 * 127 = 30480
//   5 bits: 4 sums of 2 *  31 * 127 = 31496       6 bits: 2 sums of 2 * 63 * 127 = 32004
//   8 bits: 1 sum of 2 * 128 * 127 = 32512, of magnitudes and activations with the codes' signs,
//           or int16 products
// Ternary codes (I2_S: 0, 1, 2) of whole rows add up to 64 sums of 2 * 2 * 127 = 32512.
// All are below 32768.
#if defined(__x86_64__)

#define TOPHAND_TARGET __attribute__((target("avx2,fma,f16c")))
#define TOPHAND_YMM_VNNI 0
#include "kernels/matmul_lut.h"
#include "kernels/matmul_ymm.h"
#include "kernels/matmul_ymm.inc"

namespace tophand::kernels::detail {

void matmul_avx2(const MatmulTask& task) {
  const Encoding encoding = task.w.source;
  const KernelSet* set = find_set<Encoding::kF32, Encoding::kF16, Encoding::kBF16>(encoding);
  if (set == nullptr) set = avx2_2bit(encoding);
  if (set == nullptr) set = avx2_4bit(encoding);
  if (set == nullptr) set = avx2_6bit(encoding);
  run_matmul_with_lut(task, *set);
}

}  // namespace tophand::kernels::detail

#endif  // __x86_64__
