// K-quants: 256 weights with two levels of scales, all of them rounded. There is no rule but the
// smallest error. A search over how many steps a sub-block's range gets, each with the
// least-squares scale (and min) for the codes it gives, finds unrounded scales; then these are
// rounded to their six or eight bits, their neighbours tried, and the float16 scales of the block
// fitted again. Errors are plain sums of squares: without knowing the activations no weight counts
// more.
#include <array>
#include <cstring>

#include "kernels/encode_impl.h"

namespace tophand::kernels::detail {
namespace {

constexpr std::size_t kBlock = 256;

float clamped(float v, float low, float high) {
  return std::min(std::max(v, low), high);
}

// Q4_K, Q5_K: w = scale * q - min, min >= 0, 32 weights.

constexpr std::size_t kSubs = 8, kSub = 32;

struct ScaleMinFit {
  float scale = 0.0f, min = 0.0f;
};

// Least squares over scale and min for given codes; false when the codes do not determine them.
// `gain` is how much less than sum(x^2) the squared error is.
bool fit_scale_min(const float* x, const float* q, ScaleMinFit& fit, float& gain) {
  constexpr auto kN = static_cast<float>(kSub);
  float sx = 0, sq = 0, sqq = 0, sxq = 0;
  for (std::size_t j = 0; j < kSub; ++j) {
    sx += x[j];
    sq += q[j];
    sqq += q[j] * q[j];
    sxq += x[j] * q[j];
  }
  const float det = kN * sqq - sq * sq;
  if (!(det > 0.0f)) return false;
  float scale = (kN * sxq - sx * sq) / det;
  float base = (sqq * sx - sq * sxq) / det;  // -min
  if (base > 0.0f) {
    base = 0.0f;
    scale = sxq / sqq;
  }
  fit = {scale, -base};
  gain = 2 * (scale * sxq + base * sx) -
         (scale * scale * sqq + 2 * scale * base * sq + kN * base * base);
  return true;
}

ScaleMinFit search_scale_min(const float* x, float top) {
  constexpr int kTries = 24;  // step counts from top - 1 to top + 2.45
  const auto [least, largest] = std::minmax_element(x, x + kSub);
  const float low = std::min(*least, 0.0f), range = *largest - low;
  ScaleMinFit best{0.0f, -low};
  if (!(range > 0.0f)) return best;
  best.scale = range / top;
  float best_gain = -1.0f;
  for (int t = 0; t < kTries; ++t) {
    const float per_step = (top - 1.0f + 0.15f * static_cast<float>(t)) * inverse(range);
    float q[kSub];
    for (std::size_t j = 0; j < kSub; ++j)
      q[j] = nearest(clamped((x[j] - low) * per_step, 0.0f, top));
    ScaleMinFit fit;
    float gain = 0;
    if (fit_scale_min(x, q, fit, gain) && gain > best_gain) {
      best_gain = gain;
      best = fit;
    }
  }
  return best;
}

// Squared error of a sub-block with the nearest codes.
float error_of(const float* x, float scale, float min, float top) {
  const float inv = inverse(scale);
  float sum = 0.0f;
  for (std::size_t j = 0; j < kSub; ++j) {
    const float q = nearest(clamped((x[j] + min) * inv, 0.0f, top));
    const float e = x[j] - (scale * q - min);
    sum += e * e;
  }
  return sum;
}

struct KBlock {
  float d = 0.0f, dmin = 0.0f;  // as float16 holds them
  std::array<int, kSubs> scale{}, min{};
};

float as_half(float v) {
  return half_to_float(float_to_half(v));
}

// The pair of six-bit numbers, next to the rounded ones, with the least error.
void round_pair(const float* x, const ScaleMinFit& fit, float top, KBlock& block, std::size_t sub) {
  const int scale = code_of(fit.scale * inverse(block.d), 0, 63);
  const int min = code_of(fit.min * inverse(block.dmin), 0, 63);
  float best = INFINITY;
  for (int s = std::max(scale - 1, 0); s <= std::min(scale + 1, 63); ++s) {
    for (int m = std::max(min - 1, 0); m <= std::min(min + 1, 63); ++m) {
      const float e =
          error_of(x, block.d * static_cast<float>(s), block.dmin * static_cast<float>(m), top);
      if (e < best) {
        best = e;
        block.scale[sub] = s;
        block.min[sub] = m;
      }
    }
  }
}

// One nearest code.
float k_code(const KBlock& block, std::size_t sub, float x, float top) {
  const float scale = block.d * static_cast<float>(block.scale[sub]);
  const float min = block.dmin * static_cast<float>(block.min[sub]);
  return nearest(clamped((x + min) * inverse(scale), 0.0f, top));
}

float k_error(const float* x, const KBlock& block, float top) {
  float sum = 0.0f;
  for (std::size_t sub = 0; sub < kSubs; ++sub) {
    sum += error_of(x + kSub * sub, block.d * static_cast<float>(block.scale[sub]),
                    block.dmin * static_cast<float>(block.min[sub]), top);
  }
  return sum;
}

// d and dmin by least squares for the codes and six-bit numbers that are there: x ~ d a - dmin b
// with a = scale * q, b = min. Kept when the error is smaller.
void refit(const float* x, float top, KBlock& block) {
  double aa = 0, ab = 0, bb = 0, xa = 0, xb = 0;
  for (std::size_t i = 0; i < kBlock; ++i) {
    const std::size_t sub = i / kSub;
    const double a = double{k_code(block, sub, x[i], top)} * block.scale[sub];
    const double b = block.min[sub];
    aa += a * a;
    ab += a * b;
    bb += b * b;
    xa += double{x[i]} * a;
    xb += double{x[i]} * b;
  }
  KBlock other = block;
  const double det = aa * bb - ab * ab;
  if (bb == 0 && aa > 0) {
    other.d = as_half(static_cast<float>(xa / aa));
  } else if (det > 1e-9 * aa * bb) {
    other.d = as_half(static_cast<float>((xa * bb - xb * ab) / det));
    other.dmin = as_half(static_cast<float>((xa * ab - xb * aa) / det));
  } else {
    return;
  }
  if (k_error(x, other, top) < k_error(x, block, top)) block = other;
}

KBlock search_k(const float* x, float top) {
  std::array<ScaleMinFit, kSubs> fits;
  float scale_top = 0.0f, min_top = 0.0f;
  for (std::size_t sub = 0; sub < kSubs; ++sub) {
    fits[sub] = search_scale_min(x + kSub * sub, top);
    scale_top = std::max(scale_top, fits[sub].scale);
    min_top = std::max(min_top, fits[sub].min);
  }
  KBlock block;
  block.d = as_half(scale_top / 63.0f);
  block.dmin = as_half(min_top / 63.0f);
  for (std::size_t sub = 0; sub < kSubs; ++sub)
    round_pair(x + kSub * sub, fits[sub], top, block, sub);
  refit(x, top, block);
  return block;
}

// Eight pairs of six bits in 12 bytes: the inverse of k_scale_min (blocks.h).
void put_pairs(const KBlock& block, std::byte* out) {
  for (std::size_t j = 0; j < 4; ++j) {
    const int s = block.scale[j], m = block.min[j], s4 = block.scale[j + 4], m4 = block.min[j + 4];
    out[j] = static_cast<std::byte>(s | (s4 >> 4) << 6);
    out[j + 4] = static_cast<std::byte>(m | (m4 >> 4) << 6);
    out[j + 8] = static_cast<std::byte>((s4 & 15) | (m4 & 15) << 4);
  }
}

// The header, then all codes of the block for the caller to place.
std::array<int, kBlock> begin_k(const float* x, int bits, std::byte* b) {
  const int top = (1 << bits) - 1;
  const KBlock block = search_k(x, static_cast<float>(top));
  put_half(b, block.d);
  put_half(b + 2, block.dmin);
  put_pairs(block, b + 4);
  std::array<int, kBlock> codes;
  for (std::size_t i = 0; i < kBlock; ++i)
    codes[i] = code_of(k_code(block, i / kSub, x[i], static_cast<float>(top)), 0, top);
  return codes;
}

void put_k_nibbles(const std::array<int, kBlock>& codes, std::byte* qs) {
  for (std::size_t i = 0; i < 128; ++i) {
    const std::size_t low = 64 * (i / 32) + i % 32;
    qs[i] = static_cast<std::byte>((codes[low] & 15) | (codes[low + 32] & 15) << 4);
  }
}

// Q6_K: w = d * scale * (q - 32), 16 weights a scale.

constexpr std::size_t kSubs6 = 16, kSub6 = 16;

// Codes of 16 weights at a scale whose inverse is given, as whole numbers in [-32, 31].
void codes_6(const float* x, float inv, float* q) {
  for (std::size_t j = 0; j < kSub6; ++j) q[j] = nearest(clamped(x[j] * inv, -32.0f, 31.0f));
}

float search_scale_6(const float* x) {
  float peak = 0.0f;
  for (std::size_t j = 0; j < kSub6; ++j)
    if (std::fabs(x[j]) > std::fabs(peak)) peak = x[j];
  float best = 0.0f, best_gain = 0.0f;
  for (int t = 0; t < 24; ++t) {  // the peak at -29.0 to -34.5 steps, then at 29.0 to 34.5
    const float steps = (t < 12 ? -1.0f : 1.0f) * (29.0f + 0.5f * static_cast<float>(t % 12));
    float q[kSub6], xq = 0.0f, qq = 0.0f;
    codes_6(x, steps * inverse(peak), q);
    for (std::size_t j = 0; j < kSub6; ++j) {
      xq += x[j] * q[j];
      qq += q[j] * q[j];
    }
    if (qq > 0.0f && xq * xq > best_gain * qq) {
      best_gain = xq * xq / qq;
      best = xq / qq;
    }
  }
  return best;
}

float error_6(const float* x, float scale) {
  float q[kSub6], sum = 0.0f;
  codes_6(x, inverse(scale), q);
  for (std::size_t j = 0; j < kSub6; ++j) sum += (x[j] - scale * q[j]) * (x[j] - scale * q[j]);
  return sum;
}

struct Q6Block {
  float d = 0.0f;
  std::array<int, kSubs6> scale{};

  float scale_of(std::size_t sub) const { return d * static_cast<float>(scale[sub]); }
};

void round_scale_6(const float* x, float unrounded, Q6Block& block, std::size_t sub) {
  const int near = code_of(unrounded * inverse(block.d), -128, 127);
  float best = INFINITY;
  for (int s = std::max(near - 1, -128); s <= std::min(near + 1, 127); ++s) {
    const float e = error_6(x, block.d * static_cast<float>(s));
    if (e < best) {
      best = e;
      block.scale[sub] = s;
    }
  }
}

void refit_6(const float* x, Q6Block& block) {
  double xa = 0, aa = 0;
  for (std::size_t sub = 0; sub < kSubs6; ++sub) {
    float q[kSub6];
    codes_6(x + kSub6 * sub, inverse(block.scale_of(sub)), q);
    for (std::size_t j = 0; j < kSub6; ++j) {
      const double a = double{q[j]} * block.scale[sub];
      xa += double{x[kSub6 * sub + j]} * a;
      aa += a * a;
    }
  }
  if (!(aa > 0)) return;
  Q6Block other = block;
  other.d = as_half(static_cast<float>(xa / aa));
  float now = 0.0f, then = 0.0f;
  for (std::size_t sub = 0; sub < kSubs6; ++sub) {
    now += error_6(x + kSub6 * sub, block.scale_of(sub));
    then += error_6(x + kSub6 * sub, other.scale_of(sub));
  }
  if (then < now) block = other;
}

Q6Block search_6(const float* x) {
  std::array<float, kSubs6> scales;
  float top = 0.0f;
  for (std::size_t sub = 0; sub < kSubs6; ++sub) {
    scales[sub] = search_scale_6(x + kSub6 * sub);
    if (std::fabs(scales[sub]) > std::fabs(top)) top = scales[sub];
  }
  Q6Block block;
  block.d =
      as_half(top / -128.0f);  // the largest scale gets -128: signed bytes reach further there
  for (std::size_t sub = 0; sub < kSubs6; ++sub)
    round_scale_6(x + kSub6 * sub, scales[sub], block, sub);
  refit_6(x, block);
  return block;
}

}  // namespace

void encode_q4_k(const float* x, std::byte* b) {
  put_k_nibbles(begin_k(x, 4, b), b + 16);
}

void encode_q5_k(const float* x, std::byte* b) {
  const std::array<int, kBlock> codes = begin_k(x, 5, b);
  for (std::size_t j = 0; j < 32; ++j) {
    int byte = 0;
    for (std::size_t sub = 0; sub < kSubs; ++sub) byte |= (codes[32 * sub + j] >> 4) << sub;
    b[16 + j] = static_cast<std::byte>(byte);
  }
  put_k_nibbles(codes, b + 48);
}

void encode_q6_k(const float* x, std::byte* b) {
  const Q6Block block = search_6(x);
  std::array<int, kBlock> codes;
  for (std::size_t sub = 0; sub < kSubs6; ++sub) {
    float q[kSub6];
    codes_6(x + kSub6 * sub, inverse(block.scale_of(sub)), q);
    for (std::size_t j = 0; j < kSub6; ++j) codes[kSub6 * sub + j] = code_of(q[j] + 32.0f, 0, 63);
    b[192 + sub] = static_cast<std::byte>(block.scale[sub]);
  }
  // Half h: low nibbles in 64 bytes (quarters 0, 1 low, 2, 3 high), pairs of high bits in 32.
  for (std::size_t i = 0; i < 64; ++i) {
    const std::size_t h = i / 32, j = i % 32;
    const int* c = codes.data() + 128 * h + j;
    b[64 * h + j] = static_cast<std::byte>((c[0] & 15) | (c[64] & 15) << 4);
    b[64 * h + 32 + j] = static_cast<std::byte>((c[32] & 15) | (c[96] & 15) << 4);
    b[128 + i] = static_cast<std::byte>(c[0] >> 4 | (c[32] >> 4) << 2 | (c[64] >> 4) << 4 |
                                        (c[96] >> 4) << 6);
  }
  put_half(b + 208, block.d);
}

}  // namespace tophand::kernels::detail
