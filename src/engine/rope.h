// Rotary positions (RoPE, arXiv 2104.09864) and the ways models stretch them beyond the length they
// were first trained for: which angle each pair of a head turns by, worked out once a model.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tophand::engine {

enum class RopeScaling : std::uint8_t {
  kNone,
  kLinear,    // positions divided by a factor (arXiv 2306.15595)
  kYarn,      // low frequencies divided, high ones kept (arXiv 2309.00071)
  kLongRope,  // a factor of its own for each pair (arXiv 2402.13753)
};

// What a header says about rotary positions. Numbers are in the ranges read_hyperparameters checks.
struct Rope {
  std::uint64_t rotated = 0;  // dimensions of a head that turn, n; even
  double base = 10'000.0;
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1.0;                // linear, YaRN: how much longer than the original context
  double attention_factor = 1.0;      // cosines and sines are multiplied by it
  std::int64_t original_context = 0;  // YaRN, LongRoPE: tokens of the first training
  // YaRN: pairs that turn more than beta_fast times in the original context are kept as they are,
  // those that turn less than beta_slow times are divided by the factor; between, a ramp.
  double extrapolation = 1.0;  // how much of that ramp counts
  double beta_fast = 32.0;
  double beta_slow = 1.0;
};

struct RopeTable {
  std::vector<double> frequencies;  // [n/2] radians a position
  double magnitude = 1.0;           // of cosines and sines
};

// theta_i = base^(-2i/n), scaled. `divisors`: [n/2] numbers the frequencies are divided by (Llama
// 3.1's rope_freqs, LongRoPE's factors), or empty.
RopeTable make_rope_table(const Rope& rope, std::span<const float> divisors);

}  // namespace tophand::engine
