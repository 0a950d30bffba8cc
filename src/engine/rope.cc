#include "engine/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tophand::engine {
namespace {

// YaRN (arXiv 2309.00071, section 3.2): how much of each pair's own frequency is kept, 0 to 1. Pair
// i turns original_context * theta_i / 2 pi times in the original context; solved for i, with the
// rounding of the authors' code.
std::vector<double> yarn_kept(const Rope& rope) {
  const auto n = static_cast<double>(rope.rotated);
  const auto pair_turning = [&](double times) {
    const double length = static_cast<double>(rope.original_context);
    return n * std::log(length / (times * 2.0 * std::numbers::pi)) / (2.0 * std::log(rope.base));
  };
  const double low = std::max(0.0, std::floor(pair_turning(rope.beta_fast)));
  const double high = std::min(n - 1.0, std::ceil(pair_turning(rope.beta_slow)));
  std::vector<double> kept(rope.rotated / 2);
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const double ramp = (static_cast<double>(i) - low) / std::max(0.001, high - low);
    kept[i] = (1.0 - std::clamp(ramp, 0.0, 1.0)) * rope.extrapolation;
  }
  return kept;
}

}  // namespace

RopeTable make_rope_table(const Rope& rope, std::span<const float> divisors) {
  RopeTable out;
  out.magnitude = rope.attention_factor;
  out.frequencies.resize(rope.rotated / 2);
  for (std::size_t i = 0; i < out.frequencies.size(); ++i) {
    const double exponent = -2.0 * static_cast<double>(i) / static_cast<double>(rope.rotated);
    out.frequencies[i] = std::pow(rope.base, exponent);
    if (!divisors.empty()) out.frequencies[i] /= static_cast<double>(divisors[i]);
    if (rope.scaling == RopeScaling::kLinear) out.frequencies[i] /= rope.factor;
  }
  if (rope.scaling == RopeScaling::kYarn) {
    const std::vector<double> kept = yarn_kept(rope);
    for (std::size_t i = 0; i < kept.size(); ++i)
      out.frequencies[i] *= kept[i] + (1.0 - kept[i]) / rope.factor;
    // Section 3.4: attention is a little sharper, the longer the context. On both queries and keys.
    if (rope.extrapolation != 0.0) out.magnitude *= 1.0 + 0.1 * std::log(rope.factor);
  }
  return out;
}

}  // namespace tophand::engine
