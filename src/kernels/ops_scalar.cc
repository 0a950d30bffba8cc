#include <algorithm>
#include <cmath>

#include "kernels/half.h"
#include "kernels/ops_impl.h"

namespace tophand::kernels::detail {
namespace {

void rms_norm(const float* x, const float* weight, float eps, std::uint64_t d, float* out) {
  double squares = 0;
  for (std::uint64_t i = 0; i < d; ++i) {
    squares += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  }
  const double mean = squares / static_cast<double>(d);
  const auto factor = static_cast<float>(1.0 / std::sqrt(mean + static_cast<double>(eps)));
  for (std::uint64_t i = 0; i < d; ++i) out[i] = x[i] * factor * weight[i];
}

void add(const float* x, std::uint64_t n, float* out) {
  for (std::uint64_t i = 0; i < n; ++i) out[i] += x[i];
}

void silu_mul(const float* gate, const float* up, std::uint64_t n, float* out) {
  for (std::uint64_t i = 0; i < n; ++i) {
    out[i] = gate[i] / (1.0f + std::exp(-gate[i])) * up[i];
  }
}

void relu2_mul(const float* gate, const float* up, std::uint64_t n, float* out) {
  for (std::uint64_t i = 0; i < n; ++i) {
    const float positive = std::max(gate[i], 0.0f);
    out[i] = positive * positive * up[i];
  }
}

void sigmoid_mul(const float* gate, const float* x, std::uint64_t n, float* out) {
  for (std::uint64_t i = 0; i < n; ++i) out[i] = x[i] / (1.0f + std::exp(-gate[i]));
}

void rope(RopePairing pairing, const float* cos, const float* sin, std::uint64_t n_rot,
          float* head) {
  const std::uint64_t pairs = n_rot / 2;
  for (std::uint64_t i = 0; i < pairs; ++i) {
    const std::uint64_t first = pairing == RopePairing::kHalves ? i : 2 * i;
    const std::uint64_t second = pairing == RopePairing::kHalves ? i + pairs : 2 * i + 1;
    const float a = head[first], b = head[second];
    head[first] = a * cos[i] - b * sin[i];
    head[second] = a * sin[i] + b * cos[i];
  }
}

void float_to_half_row(const float* x, std::uint64_t n, std::uint16_t* out) {
  for (std::uint64_t i = 0; i < n; ++i) out[i] = float_to_half(x[i]);
}

void softmax(float* scores, std::uint64_t n) {
  const float most = *std::max_element(scores, scores + n);
  double sum = 0;
  for (std::uint64_t i = 0; i < n; ++i) {
    scores[i] = std::exp(scores[i] - most);
    sum += static_cast<double>(scores[i]);
  }
  const auto factor = static_cast<float>(1.0 / sum);
  for (std::uint64_t i = 0; i < n; ++i) scores[i] *= factor;
}

void attention_group(const float* q, std::uint64_t n_q, const std::uint16_t* k,
                     const std::uint16_t* v, std::uint64_t n_kv, std::uint64_t kv_stride,
                     std::uint64_t hd, float scale, float* scores, float* out) {
  std::fill_n(out, n_q * hd, 0.0f);
  if (n_kv == 0) return;
  for (std::uint64_t h = 0; h < n_q; ++h) {
    float* s = scores + h * n_kv;
    for (std::uint64_t p = 0; p < n_kv; ++p) {
      float dot = 0;
      for (std::uint64_t i = 0; i < hd; ++i) {
        dot += q[h * hd + i] * half_to_float(k[p * kv_stride + i]);
      }
      s[p] = dot * scale;
    }
    softmax(s, n_kv);
    for (std::uint64_t p = 0; p < n_kv; ++p) {
      for (std::uint64_t i = 0; i < hd; ++i) {
        out[h * hd + i] += s[p] * half_to_float(v[p * kv_stride + i]);
      }
    }
  }
}

std::uint64_t argmax(const float* x, std::uint64_t n) {
  std::uint64_t best = 0;
  for (std::uint64_t i = 1; i < n; ++i) {
    if (x[i] > x[best]) best = i;
  }
  return best;
}

}  // namespace

const OpsTable& ops_scalar() {
  static constexpr OpsTable kTable = {rms_norm,    add,  silu_mul,          relu2_mul,
                                      sigmoid_mul, rope, float_to_half_row, attention_group,
                                      argmax};
  return kTable;
}

}  // namespace tophand::kernels::detail
