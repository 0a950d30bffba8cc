// The operations of gated delta nets at the shapes of a 27B (48 value heads of 128 x 128, 10,240
// channels, blocks of 1024), on one core. Figures: docs/performance-kernels.md.
#include <benchmark/benchmark.h>

#include <cmath>
#include <string>
#include <vector>

#include "kernels/cpu.h"
#include "kernels/delta_net.h"

namespace tophand::kernels {
namespace {

constexpr std::uint64_t kSize = 128, kHeads = 48, kChannels = 10'240, kTaps = 4, kWidth = 17'408;

// All value heads of a layer; items: tokens.
void delta_rule_layer(benchmark::State& state, Isa isa, std::uint64_t tokens) {
  const std::uint64_t stride = 3 * kSize;
  std::vector<float> qkv(tokens * stride), states(kHeads * kSize * kSize), dots(tokens);
  for (std::size_t i = 0; i < qkv.size(); ++i)
    qkv[i] = std::sin(static_cast<float>(i)) / std::sqrt(static_cast<float>(kSize) / 2.0f);
  std::vector<float> decay(tokens, 0.95f), beta(tokens, 0.5f), out(tokens * kSize);
  const DeltaRule head = {.tokens = tokens,
                          .key_size = kSize,
                          .value_size = kSize,
                          .q = qkv.data(),
                          .k = qkv.data() + kSize,
                          .v = qkv.data() + 2 * kSize,
                          .qkv_stride = stride,
                          .decay = decay.data(),
                          .beta = beta.data(),
                          .scale = 0.1f,
                          .out_stride = kSize};
  for (auto _ : state) {
    for (std::uint64_t h = 0; h < kHeads; ++h)
      delta_rule(isa, head, states.data() + h * kSize * kSize, dots.data(), out.data());
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(tokens));
}

void convolution_layer(benchmark::State& state, Isa isa, std::uint64_t tokens) {
  std::vector<float> weight(kTaps * kChannels, 0.25f), x(tokens * kChannels, 0.5f);
  std::vector<float> history((kTaps - 1) * kChannels), out(x.size());
  const CausalConv conv = {weight.data(), kTaps, kChannels, kChannels};
  for (auto _ : state) {
    causal_conv_silu(isa, conv, x.data(), tokens, history.data(), out.data());
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(tokens));
}

void hadamard_row(benchmark::State& state, Isa isa) {
  std::vector<float> x(kWidth, 0.5f);
  for (auto _ : state) {
    hadamard(isa, x.data(), kWidth, 1024);
    benchmark::DoNotOptimize(x.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations());
}

[[maybe_unused]] const bool kRegistered = [] {
  for (const IsaInfo& set : instruction_sets()) {
    if (!set.compiled || !set.runs_here) continue;
    const std::string name(set.name);
    const Isa isa = set.isa;
    for (const std::uint64_t tokens : {1u, 128u}) {
      const std::string suffix = "/" + name + "/" + std::to_string(tokens);
      benchmark::RegisterBenchmark(("delta_rule" + suffix).c_str(), delta_rule_layer, isa, tokens);
      benchmark::RegisterBenchmark(("convolution" + suffix).c_str(), convolution_layer, isa,
                                   tokens);
    }
    benchmark::RegisterBenchmark(("hadamard/" + name).c_str(), hadamard_row, isa);
  }
  return true;
}();

}  // namespace
}  // namespace tophand::kernels
