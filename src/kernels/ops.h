// The small operations of a transformer between its matrix products. Float32 unless said otherwise.
// Symbols: d model width, hd head size, T tokens. No threads, no allocation.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu.h"

namespace tophand::kernels {

// out[i] = x[i] * w[i] / sqrt(mean(x^2) + eps). x, out: [d]; out may be x. (RMSNorm, arXiv
// 1910.07467)
void rms_norm(Isa isa, const float* x, const float* weight, float eps, std::uint64_t d, float* out);

// out[i] += x[i]
void add(Isa isa, const float* x, std::uint64_t n, float* out);

// out[i] = silu(gate[i]) * up[i] (SwiGLU); out = relu(gate)^2 * up (BitNet b1.58 2B4T).
void silu_mul(Isa isa, const float* gate, const float* up, std::uint64_t n, float* out);
void relu2_mul(Isa isa, const float* gate, const float* up, std::uint64_t n, float* out);

// out[i] = x[i] * sigmoid(gate[i]) (Qwen3.5's gated attention). out may be x.
void sigmoid_mul(Isa isa, const float* gate, const float* x, std::uint64_t n, float* out);

// Rotary embedding of one head vector at one position; cos, sin: [n_rot / 2] for that position.
// kHalves pairs (i, i + n_rot/2) (NeoX: qwen2, bitnet); kAdjacent pairs (2i, 2i+1) (llama).
enum class RopePairing : std::uint8_t { kAdjacent, kHalves };
void rope(Isa isa, RopePairing pairing, const float* cos, const float* sin, std::uint64_t n_rot,
          float* head);

void float_to_half_row(Isa isa, const float* x, std::uint64_t n, std::uint16_t* out);

// Causal attention of the query heads that share one KV head, for one token.
// q: [n_q, hd]; k, v: [n_kv, hd] float16 rows `kv_stride` elements apart; out: [n_q, hd].
// scores: scratch [n_q, n_kv] float32. Softmax in float32 over all n_kv positions.
void attention_group(Isa isa, const float* q, std::uint64_t n_q, const std::uint16_t* k,
                     const std::uint16_t* v, std::uint64_t n_kv, std::uint64_t kv_stride,
                     std::uint64_t hd, float scale, float* scores, float* out);

// Index of the largest value, lowest index on ties.
std::uint64_t argmax(Isa isa, const float* x, std::uint64_t n);

}  // namespace tophand::kernels
