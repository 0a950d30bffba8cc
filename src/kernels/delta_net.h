// The operations of gated delta nets and of folded weights. Float32. No threads, no allocation.
#pragma once

#include <cstdint>

#include "kernels/cpu.h"

namespace tophand::kernels {

// Depthwise causal convolution over tokens, with SiLU. Rows of weight, history, x and out are
// `stride` floats apart, so that neighbouring channels of a wider layer can be worked on alone.
struct CausalConv {
  const float* weight = nullptr;  // [taps, channels], oldest tap first
  std::uint64_t taps = 0;         // at least 1
  std::uint64_t channels = 0;
  std::uint64_t stride = 0;
};
// out[t][c] = silu(sum over k of weight[k][c] * x[t - (taps - 1) + k][c]); what lies before token 0
// is history [taps - 1, channels], which afterwards holds the last inputs for the next call.
void causal_conv_silu(Isa isa, const CausalConv& conv, const float* x, std::uint64_t tokens,
                      float* history, float* out);

// One head of the gated delta rule (arXiv 2412.06464, equation 10) over T tokens. With the state S,
// one row a value index:
//   S = decay_t * S;  S += beta_t * (v_t - S k_t) k_t^T;  out_t = scale * S q_t
struct DeltaRule {
  std::uint64_t tokens = 0;
  std::uint64_t key_size = 0, value_size = 0;
  const float* q = nullptr;      // [T, key_size], rows qkv_stride apart, as k and v
  const float* k = nullptr;      // [T, key_size]
  const float* v = nullptr;      // [T, value_size]
  std::uint64_t qkv_stride = 0;  // floats
  const float* decay = nullptr;  // [T]
  const float* beta = nullptr;   // [T]
  float scale = 1.0f;
  std::uint64_t out_stride = 0;  // floats
};
// state: [value_size, key_size], read and written; out: [T, value_size]; dots: scratch [T].
// Each row of the state is read and written once a token, and all tokens pass over it before the
// next row's turn: it stays in the nearest cache.
void delta_rule(Isa isa, const DeltaRule& head, float* state, float* dots, float* out);

// x = H x in every block of `block` numbers (a power of two that divides n): the Walsh-Hadamard
// transform in Sylvester's order, H[r][c] = (-1)^popcount(r & c) / sqrt(block). Its own inverse.
// Every instruction set gives the same bits.
void hadamard(Isa isa, float* x, std::uint64_t n, std::uint64_t block);

}  // namespace tophand::kernels
