// What the quantisers of every instruction set share. Private to kernels/.
#pragma once

#include "kernels/packed.h"

namespace tophand::kernels::detail {

// What a block is multiplied by, and what the products are worth, by its largest magnitude. A block
// with an infinity or NaN in it gets a scale of that kind, so that every product with it is no
// number and somebody notices.
struct OwnScale {
  float inverse, scale;
};
[[gnu::always_inline]] inline OwnScale own_scale(float most) {
  const bool usable = most > kActivationTiny;
  return {usable ? 127.0f / most : 0.0f, usable ? most / 127.0f : most * 0.0f};
}

// The record's scale and sums; low and high are those of q's columns 0..15 and 16..31.
[[gnu::always_inline]] inline void finish_block(std::int32_t low, std::int32_t high, float scale,
                                                std::uint32_t index, ActivationBlock& out) {
  out.scale = scale;
  out.scaled_sum = scale * static_cast<float>(low + high);
  out.negative_sum = -(low + high);
  out.negative_low = -low;
  out.negative_high = -high;
  out.block = index;
}

}  // namespace tophand::kernels::detail
