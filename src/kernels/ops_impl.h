// The scalar definitions behind ops.h and the faster variants, by instruction set. Private to
// kernels/. Signatures and meaning: ops.h.
#pragma once

#include "kernels/ops.h"

namespace tophand::kernels::detail {

// Every operation of ops.h as one row of a table.
struct OpsTable {
  void (*rms_norm)(const float*, const float*, float, std::uint64_t, float*);
  void (*add)(const float*, std::uint64_t, float*);
  void (*silu_mul)(const float*, const float*, std::uint64_t, float*);
  void (*relu2_mul)(const float*, const float*, std::uint64_t, float*);
  void (*sigmoid_mul)(const float*, const float*, std::uint64_t, float*);
  void (*rope)(RopePairing, const float*, const float*, std::uint64_t, float*);
  void (*float_to_half_row)(const float*, std::uint64_t, std::uint16_t*);
  void (*attention_group)(const float*, std::uint64_t, const std::uint16_t*, const std::uint16_t*,
                          std::uint64_t, std::uint64_t, std::uint64_t, float, float*, float*);
  std::uint64_t (*argmax)(const float*, std::uint64_t);
};

const OpsTable& ops_scalar();
#if defined(__x86_64__)
const OpsTable& ops_avx2();
const OpsTable& ops_avx512();
#endif

}  // namespace tophand::kernels::detail
