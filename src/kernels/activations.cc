// Quantisation of activations to int8, the scalar definition.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "kernels/activations_impl.h"
#include "kernels/matmul.h"
#include "kernels/packed.h"

namespace tophand::kernels {
namespace detail {
namespace {

// Round to nearest, ties to even, for |v| < 2^22: the sum's unit in the last place is 1.
std::int32_t round_even(float v) {
  constexpr float kMagic = 0x1.8p23f;
  const float shifted = v + kMagic;
  return static_cast<std::int32_t>(std::bit_cast<std::uint32_t>(shifted)) - 0x4b400000;
}

// The bits of magnitudes are ordered as the magnitudes are, with NaN above all of them: it is not
// lost, as it would be among floats.
float max_abs(const float* x, std::uint64_t n) {
  std::uint32_t most = 0;
  for (std::uint64_t i = 0; i < n; ++i)
    most = std::max(most, std::bit_cast<std::uint32_t>(x[i]) & 0x7fffffffu);
  return std::bit_cast<float>(most);
}

// q = round(x * inverse), clamped, which makes -127 of NaN; the sums that go with it.
void fill_block(const float* x, float inverse, float scale, std::uint32_t index,
                ActivationBlock& out) {
  std::int32_t low = 0, high = 0;
  for (std::size_t j = 0; j < kBlockCols; ++j) {
    const float v = std::min(std::max(-127.0f, x[j] * inverse), 127.0f);
    const std::int32_t q = round_even(v);
    out.q[j] = static_cast<std::int8_t>(q);
    (j < 16 ? low : high) += q;
  }
  finish_block(low, high, scale, index, out);
}

void fill_block_own_scale(const float* x, std::uint32_t index, ActivationBlock& out) {
  const OwnScale own = own_scale(max_abs(x, kBlockCols));
  fill_block(x, own.inverse, own.scale, index, out);
}

void fill_residual(const float* x, const ActivationBlock& first, ActivationBlock& out) {
  float residual[kBlockCols];
  for (std::size_t j = 0; j < kBlockCols; ++j) {
    residual[j] = x[j] - first.scale * static_cast<float>(first.q[j]);
  }
  fill_block_own_scale(residual, first.block, out);
}

}  // namespace

std::uint32_t append_residuals(const float* x, std::uint64_t blocks, const ActivationBlock* first,
                               ActivationBlock* extra, ResidualFn fill) {
  double energy = 0;
  for (std::uint64_t b = 0; b < blocks; ++b) {
    energy += static_cast<double>(first[b].scale) * static_cast<double>(first[b].scale);
  }
  const double threshold =
      energy * static_cast<double>(kOutlierRatio) / static_cast<double>(blocks);
  const std::uint64_t most = extra_max(blocks);
  std::uint32_t count = 0;
  for (std::uint64_t b = 0; b < blocks && count < most; ++b) {
    const auto scale = static_cast<double>(first[b].scale);
    if (scale * scale > threshold) fill(x + b * kBlockCols, first[b], extra[count++]);
  }
  return count;
}

void quantize_token_scalar(ActivationForm form, const float* x, std::uint64_t cols,
                           std::byte* out) {
  const std::uint64_t blocks = cols / kBlockCols;
  auto* header = reinterpret_cast<ActivationHeader*>(out);
  auto* records = reinterpret_cast<ActivationBlock*>(out + sizeof(ActivationHeader));
  *header = {};
  if (form == ActivationForm::kInt8Token) {
    const float inverse = 127.0f / std::max(max_abs(x, cols), 1e-5f);
    header->token_scale = 1.0f / inverse;
    for (std::uint64_t b = 0; b < blocks; ++b) {
      fill_block(x + b * kBlockCols, inverse, header->token_scale, static_cast<std::uint32_t>(b),
                 records[b]);
      header->negative_sum += records[b].negative_sum;
    }
    return;
  }
  for (std::uint64_t b = 0; b < blocks; ++b) {
    fill_block_own_scale(x + b * kBlockCols, static_cast<std::uint32_t>(b), records[b]);
  }
  header->extra_count = append_residuals(x, blocks, records, records + blocks, fill_residual);
}

}  // namespace detail

namespace {

auto quantizer(Isa isa) {
#if defined(__x86_64__)
  if (has_avx512(isa)) return detail::quantize_token_avx512;
  if (isa == Isa::kAvx2 || isa == Isa::kAvxVnni) return detail::quantize_token_avx2;
#endif
  (void)isa;
  return detail::quantize_token_scalar;
}

}  // namespace

ActivationForm detail::base_form(Encoding encoding) {
  const Layout layout = layout_of(encoding);
  if (layout.bits == 0) return ActivationForm::kFloat32;
  return layout.scales == Scales::kTensor ? ActivationForm::kInt8Token
                                          : ActivationForm::kInt8Block32;
}

ActivationForm activation_form(Isa isa, Encoding encoding, std::uint64_t tokens) {
  const bool tables =
      tokens <= kTableTokens && detail::line_order(isa, encoding) == detail::LineOrder::kPairs;
  return tables ? ActivationForm::kInt8Tables : detail::base_form(encoding);
}

std::size_t activation_bytes(ActivationForm form, std::uint64_t tokens, std::uint64_t cols) {
  if (form == ActivationForm::kFloat32) return tokens * cols * sizeof(float);
  return tokens * detail::token_bytes(form, cols);
}

void quantize_activations(Isa isa, ActivationForm form, const float* x, std::uint64_t cols,
                          std::uint64_t token_begin, std::uint64_t token_end, std::byte* out) {
  const auto quantize = quantizer(isa);
  for (std::uint64_t t = token_begin; t < token_end; ++t) {
    if (form == ActivationForm::kFloat32) {
      std::memcpy(out + t * cols * sizeof(float), x + t * cols, cols * sizeof(float));
      continue;
    }
    std::byte* token = out + t * detail::token_bytes(form, cols);
    quantize(form, x + t * cols, cols, token);
#if defined(__x86_64__)
    if (form == ActivationForm::kInt8Tables) detail::fill_tables_avx2(cols, token);
#endif
  }
}

}  // namespace tophand::kernels
