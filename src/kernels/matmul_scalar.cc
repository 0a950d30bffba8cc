// The definition of matmul() on the packed layout: plain loops, one row and one token at a time.
#include <algorithm>

#include "kernels/blocks.h"
#include "kernels/packed.h"

namespace tophand::kernels::detail {
namespace {

int code_at(const Layout& layout, const std::byte* lines, std::size_t row, std::size_t col) {
  const std::size_t dword = col / 4, at = 4 * row + col % 4;
  const auto line = [&](std::size_t i) { return unsigned{load_u8(lines + 64 * i + at)}; };
  if (layout.bits == 8) return static_cast<int>(line(dword));
  if (layout.bits == 1) return static_cast<int>(line(0) >> dword & 1) * 2;
  if (layout.bits == 2) return static_cast<int>(line(dword / 4) >> (2 * (dword % 4)) & 3);
  if (layout.bits == 6) {
    const std::size_t first = 3 * (dword / 4);
    if (dword % 4 < 3) return static_cast<int>(line(first + dword % 4) & 63);
    return static_cast<int>(line(first) >> 6 | line(first + 1) >> 6 << 2 |
                            line(first + 2) >> 6 << 4);
  }
  unsigned code = line(dword % 4) >> (dword < 4 ? 0 : 4) & 15;
  if (layout.bits == 5) code |= (line(4) >> dword & 1) << 4;
  return static_cast<int>(code);
}

struct BlockScales {
  float low, high;  // of columns 0..15 and 16..31
  float min;
};

BlockScales scales_at(const Layout& layout, const std::byte* scales, std::uint64_t in_super,
                      std::size_t row) {
  const auto half = [&](std::uint64_t at) {
    return half_to_float(load_u16(scales + at + 2 * row));
  };
  const auto both = [](float scale, float min) { return BlockScales{scale, scale, min}; };
  const auto small = [&](std::uint64_t at) { return load_u8(scales + at + row); };
  switch (layout.scales) {
    case Scales::kScale:
      return both(half(32 * in_super), 0);
    case Scales::kScaleMin:
      return both(half(0), half(32));
    case Scales::kSuper:
      return both(half(0) * static_cast<float>(small(64 + 32 * in_super)),
                  -half(32) * static_cast<float>(small(80 + 32 * in_super)));
    case Scales::kSuper16: {
      const float d = half(0);
      const auto sc = [&](std::uint64_t at) {
        return d * static_cast<float>(static_cast<std::int8_t>(small(at)));
      };
      return {sc(32 + 32 * in_super), sc(48 + 32 * in_super), 0};
    }
    case Scales::kGroup64:
      return both(half(32 * (in_super / 2)), 0);
    case Scales::kGroup128:
      return both(half(32 * (in_super / 4)), 0);
    case Scales::kGroup256:
      return both(half(32 * (in_super / 8)), 0);
    case Scales::kTensor:
    case Scales::kNone:
      break;
  }
  return both(1, 0);
}

struct HalfDots {
  std::int32_t low, high;  // sums of (code - offset) * q over columns 0..15 and 16..31
};

struct RowOfGroup {
  Layout layout;
  const std::byte* group;
  std::size_t row;

  const std::byte* super(std::uint64_t block) const {
    return group + block / layout.super_blocks * layout.super_bytes();
  }
  HalfDots dot(const ActivationBlock& a) const {
    const std::uint64_t in_super = a.block % layout.super_blocks;
    const std::byte* lines = super(a.block) + layout.scale_bytes + in_super * layout.code_bytes();
    HalfDots dots{a.negative_low * layout.offset(), a.negative_high * layout.offset()};
    for (std::size_t c = 0; c < kBlockCols; ++c) {
      (c < 16 ? dots.low : dots.high) += code_at(layout, lines, row, c) * a.q[c];
    }
    return dots;
  }
  float product(const ActivationBlock& a) const {
    const HalfDots dots = dot(a);
    const BlockScales s = scales_at(layout, super(a.block), a.block % layout.super_blocks, row);
    const float sum =
        layout.scales == Scales::kSuper16
            ? static_cast<float>(dots.low) * s.low + static_cast<float>(dots.high) * s.high
            : static_cast<float>(dots.low + dots.high) * s.low;
    return sum * a.scale + s.min * a.scaled_sum;
  }
};

float integer_row(const MatmulTask& task, const RowOfGroup& row, std::uint64_t token) {
  const ActivationForm form = base_form(task.w.source);
  const TokenView view = token_view(task.activations, form, task.w.cols, token);
  const std::uint64_t blocks = task.w.cols / kBlockCols;
  if (form == ActivationForm::kInt8Token) {
    std::int32_t dot = 0;
    for (std::uint64_t b = 0; b < blocks; ++b) {
      const HalfDots dots = row.dot(view.blocks[b]);
      dot += dots.low + dots.high;
    }
    return static_cast<float>(dot) * (view.header->token_scale * task.w.tensor_scale);
  }
  float sum = 0;
  for (std::uint64_t b = 0; b < blocks; ++b) sum += row.product(view.blocks[b]);
  for (std::uint32_t e = 0; e < view.header->extra_count; ++e) sum += row.product(view.extra[e]);
  return sum;
}

float float_row(const MatmulTask& task, const RowOfGroup& row, std::uint64_t token) {
  const std::byte* x = task.activations + token * task.w.cols * sizeof(float);
  float sum = 0;
  for (std::uint64_t c = 0; c < task.w.cols; ++c) {
    const std::uint64_t at = c * kRowsPerGroup + row.row;
    const float weight = task.w.source == Encoding::kF32 ? load_f32(row.group + 4 * at)
                         : task.w.source == Encoding::kF16
                             ? half_to_float(load_u16(row.group + 2 * at))
                             : bfloat_to_float(load_u16(row.group + 2 * at));
    sum += weight * load_f32(x + 4 * c);
  }
  return sum;
}

}  // namespace

void matmul_scalar(const MatmulTask& task) {
  const Layout layout = layout_of(task.w.source);
  const std::uint64_t stride = group_bytes(task.w.source, task.w.cols);
  for (std::uint64_t g = task.group_begin; g < task.group_end; ++g) {
    const std::uint64_t rows = std::min(kRowsPerGroup, task.w.rows - g * kRowsPerGroup);
    for (std::size_t r = 0; r < rows; ++r) {
      const RowOfGroup row{layout, task.w.data + g * stride, r};
      for (std::uint64_t t = 0; t < task.tokens; ++t) {
        task.out[t * task.out_stride + g * kRowsPerGroup + r] =
            layout.bits == 0 ? float_row(task, row, t) : integer_row(task, row, t);
      }
    }
  }
}

}  // namespace tophand::kernels::detail
