// The steps of a lane that gated delta nets, gated attention and folded weights need.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/assert.h"
#include "engine/lane.h"
#include "kernels/delta_net.h"

namespace tophand::engine {

void Lane::unfold(const Fold& fold, float* row) const {
  const std::uint64_t n = fold.signs.size();
  kernels::hadamard(isa_, row, n, fold.block);
  for (std::uint64_t i = 0; i < n; ++i) row[i] *= fold.signs[i];
}

void Lane::split_gates(const float* queries_and_gates) {
  const std::uint64_t hd = shape_.head_size;
  const Range mine = my(chunk_.tokens * shape_.heads);
  for (std::uint64_t i = mine.begin; i < mine.end; ++i) {  // one head of one token
    const float* from = queries_and_gates + 2 * i * hd;
    std::memcpy(scratch_.queries + i * hd, from, hd * sizeof(float));
    std::memcpy(scratch_.gates + i * hd, from + hd, hd * sizeof(float));
  }
  pool_.barrier();
}

// x / sqrt(sum(x^2) + 1e-6), the original's norm of queries and keys, is RMSNorm with a weight of
// 1 / sqrt(n) and an epsilon of 1e-6 / n.
void Lane::convolve(std::uint64_t index, const DeltaNetWeights& w) {
  const DeltaNetShape& net = shape_.delta;
  const std::uint64_t stride = net.channels();
  const float eps = 1e-6f / static_cast<float>(net.key_size);
  // One item is a query head, a key head or a value head.
  const Range mine = my(2 * net.key_heads + net.value_heads);
  for (std::uint64_t item = mine.begin; item < mine.end; ++item) {
    const bool is_value = item >= 2 * net.key_heads;
    const std::uint64_t at =
        is_value ? 2 * net.key_heads * net.key_size + (item - 2 * net.key_heads) * net.value_size
                 : item * net.key_size;
    const std::uint64_t size = is_value ? net.value_size : net.key_size;
    const kernels::CausalConv conv = {w.convolution.data() + at, net.taps, size, stride};
    for (std::uint64_t t = 0; t < chunk_.tokens; t += chunk_.run_tokens()) {
      float* history = chunk_.place(t).cache->states + index * net.state_floats() + at;
      kernels::causal_conv_silu(isa_, conv, scratch_.mixed + t * stride + at, chunk_.run_tokens(),
                                history, scratch_.convolved + t * stride + at);
    }
    if (is_value) continue;
    for (std::uint64_t t = 0; t < chunk_.tokens; ++t) {
      float* head = scratch_.convolved + t * stride + at;
      kernels::rms_norm(isa_, head, w.unit.data(), eps, size, head);
    }
  }
  pool_.barrier();
}

void Lane::delta_net(std::uint64_t index, const DeltaNetWeights& w) {
  const DeltaNetShape& net = shape_.delta;
  convolve(index, w);
  const std::uint64_t head_floats = net.value_size * net.key_size;
  const std::uint64_t repeats = net.value_heads / net.key_heads;
  const Range mine = my(net.value_heads);
  for (std::uint64_t head = mine.begin; head < mine.end; ++head) {
    for (std::uint64_t t = 0; t < chunk_.tokens; ++t) {
      const std::uint64_t at = t * net.value_heads + head;
      const float x = scratch_.alpha[at] + w.decay_bias[head];
      const float softplus = x > 20.0f ? x : std::log1p(std::exp(x));
      own().decays[t] = std::exp(w.decay[head] * softplus);
      own().betas[t] = 1.0f / (1.0f + std::exp(-scratch_.beta[at]));
    }
    const std::uint64_t key_head = head % net.key_heads;
    // Where the output matrix wants them so, heads with the same key head are neighbours.
    const std::uint64_t slot =
        net.values_by_key_head ? key_head * repeats + head / net.key_heads : head;
    float* out = scratch_.attended + slot * net.value_size;
    for (std::uint64_t t = 0; t < chunk_.tokens; t += chunk_.run_tokens()) {
      const float* row = scratch_.convolved + t * net.channels();
      const kernels::DeltaRule rule = {
          .tokens = chunk_.run_tokens(),
          .key_size = net.key_size,
          .value_size = net.value_size,
          .q = row + key_head * net.key_size,
          .k = row + (net.key_heads + key_head) * net.key_size,
          .v = row + 2 * net.key_heads * net.key_size + head * net.value_size,
          .qkv_stride = net.channels(),
          .decay = own().decays + t,
          .beta = own().betas + t,
          .scale = 1.0f / std::sqrt(static_cast<float>(net.key_size)),
          .out_stride = net.inner()};
      float* state = chunk_.place(t).cache->states + index * net.state_floats() +
                     net.history_floats() + head * head_floats;
      kernels::delta_rule(isa_, rule, state, own().dots, out + t * net.inner());
    }
    for (std::uint64_t t = 0; t < chunk_.tokens; ++t) {
      float* row = out + t * net.inner();
      kernels::rms_norm(isa_, row, w.norm.data(), shape_.norm_eps, net.value_size, row);
      const float* z = scratch_.gates + t * net.inner() + head * net.value_size;
      kernels::silu_mul(isa_, z, row, net.value_size, row);
    }
  }
  pool_.barrier();
}

}  // namespace tophand::engine
