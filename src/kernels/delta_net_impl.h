// The scalar definitions behind delta_net.h and the faster variants, by instruction set. Private to
// kernels/. Signatures and meaning: delta_net.h.
#pragma once

#include <cstring>

#include "kernels/delta_net.h"

namespace tophand::kernels::detail {

struct DeltaNetTable {
  void (*causal_conv_silu)(const CausalConv&, const float*, std::uint64_t, float*, float*);
  void (*delta_rule)(const DeltaRule&, float*, float*, float*);
  void (*hadamard)(float*, std::uint64_t, std::uint64_t);
};

const DeltaNetTable& delta_net_scalar();
#if defined(__x86_64__)
const DeltaNetTable& delta_net_avx2();
const DeltaNetTable& delta_net_avx512();
#endif

// Row `token` - (taps - 1) + `tap` of the inputs: history for what came before token 0.
inline const float* conv_row(const CausalConv& conv, const float* x, const float* history,
                             std::uint64_t token, std::uint64_t tap) {
  const std::uint64_t row = token + tap;  // counted from the first row of history
  const std::uint64_t old = conv.taps - 1;
  return row < old ? history + row * conv.stride : x + (row - old) * conv.stride;
}

// Makes the last taps - 1 inputs the history. Rows move towards the front, so none is overwritten
// before it was read.
inline void keep_history(const CausalConv& conv, const float* x, std::uint64_t tokens,
                         float* history) {
  for (std::uint64_t i = 0; i + 1 < conv.taps; ++i) {
    const float* from = conv_row(conv, x, history, tokens, i);
    float* to = history + i * conv.stride;
    std::memcpy(to, from, conv.channels * sizeof(float));
  }
}

}  // namespace tophand::kernels::detail
