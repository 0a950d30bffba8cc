#include <cmath>

#include "kernels/delta_net_impl.h"

namespace tophand::kernels::detail {
namespace {

void causal_conv_silu(const CausalConv& conv, const float* x, std::uint64_t tokens, float* history,
                      float* out) {
  for (std::uint64_t t = 0; t < tokens; ++t) {
    for (std::uint64_t c = 0; c < conv.channels; ++c) {
      float sum = 0.0f;
      for (std::uint64_t k = 0; k < conv.taps; ++k)
        sum += conv.weight[k * conv.stride + c] * conv_row(conv, x, history, t, k)[c];
      out[t * conv.stride + c] = sum / (1.0f + std::exp(-sum));
    }
  }
  keep_history(conv, x, tokens, history);
}

float dot(const float* a, const float* b, std::uint64_t n) {
  float sum = 0.0f;
  for (std::uint64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

// Both products with the state are taken of the old row, so that one pass does:
// S' = e S + d k with d = b (v - e S k), so S' q = e S q + d (k q).
void delta_rule(const DeltaRule& head, float* state, float* dots, float* out) {
  const std::uint64_t n = head.key_size;
  for (std::uint64_t t = 0; t < head.tokens; ++t)
    dots[t] = dot(head.k + t * head.qkv_stride, head.q + t * head.qkv_stride, n);
  for (std::uint64_t j = 0; j < head.value_size; ++j) {
    float* row = state + j * n;
    for (std::uint64_t t = 0; t < head.tokens; ++t) {
      const float* k = head.k + t * head.qkv_stride;
      const float decayed = head.decay[t] * dot(row, k, n);
      const float kept = head.decay[t] * dot(row, head.q + t * head.qkv_stride, n);
      const float d = (head.v[t * head.qkv_stride + j] - decayed) * head.beta[t];
      out[t * head.out_stride + j] = (kept + d * dots[t]) * head.scale;
      for (std::uint64_t i = 0; i < n; ++i) row[i] = head.decay[t] * row[i] + d * k[i];
    }
  }
}

void hadamard(float* x, std::uint64_t n, std::uint64_t block) {
  const float scale = 1.0f / std::sqrt(static_cast<float>(block));
  for (float* b = x; b < x + n; b += block) {
    for (std::uint64_t half = 1; half < block; half *= 2) {
      for (std::uint64_t i = 0; i < block; i += 2 * half) {
        for (std::uint64_t j = i; j < i + half; ++j) {
          const float sum = b[j] + b[j + half];
          b[j + half] = b[j] - b[j + half];
          b[j] = sum;
        }
      }
    }
    for (std::uint64_t i = 0; i < block; ++i) b[i] *= scale;
  }
}

}  // namespace

const DeltaNetTable& delta_net_scalar() {
  static constexpr DeltaNetTable kTable = {causal_conv_silu, delta_rule, hadamard};
  return kTable;
}

}  // namespace tophand::kernels::detail
