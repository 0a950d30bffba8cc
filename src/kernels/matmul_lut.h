// The product of ternary weights and many tokens by table lookup (matmul_lut_avx2.cc). Private to
// kernels/.
#pragma once

#include "kernels/matmul_driver.h"

namespace tophand::kernels::detail {

// run_matmul() for instruction sets of 256 bits: tables take what they can of ternary weights
// (I2_S) and `kernels` the rest and everything else. On a Xeon (family 6 model 207) tables did 1.4
// times the multiply-adds of the AVX2 kernels and 1.3 times those of the AVX-VNNI kernels.
void run_matmul_with_lut(const MatmulTask& task, const KernelSet& kernels);

}  // namespace tophand::kernels::detail
