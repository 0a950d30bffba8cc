// Where the kernels of 256 bits are: several files an instruction set, because one took minutes to
// compile with sanitizers. Each function knows some encodings and gives nullptr for the others.
// Private to kernels/.
#pragma once

#include "kernels/encoding.h"
#include "kernels/matmul_driver.h"

namespace tophand::kernels::detail {

const KernelSet* avx2_2bit(Encoding encoding);
const KernelSet* avx2_4bit(Encoding encoding);
const KernelSet* avx2_6bit(Encoding encoding);
const KernelSet* avxvnni_2bit(Encoding encoding);
const KernelSet* avxvnni_4bit(Encoding encoding);
const KernelSet* avxvnni_6bit(Encoding encoding);

}  // namespace tophand::kernels::detail
