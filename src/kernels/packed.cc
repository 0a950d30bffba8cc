// Packing: from GGUF rows to groups of 16 interleaved rows, once at load. This is the definition;
// pack_avx2.cc gives the same bytes faster.
#include "kernels/packed.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "kernels/blocks.h"

namespace tophand::kernels {
namespace {

using detail::Layout;
using detail::Scales;
using Tile = std::array<std::array<std::uint8_t, 32>, kRowsPerGroup>;  // codes of 16 rows

struct Source {
  Encoding encoding;
  const std::byte* tensor;
  std::uint64_t rows, cols, row_bytes;

  // nullptr past the last row: packs as zero.
  const std::byte* row(std::uint64_t r) const {
    return r < rows ? tensor + r * row_bytes : nullptr;
  }
};

// Byte 4*r + i of a line takes bits of column 4*dword + i of row r.
template <class Bits>
void write_line(std::byte* line, Bits bits) {
  for (std::size_t r = 0; r < kRowsPerGroup; ++r) {
    for (std::size_t i = 0; i < 4; ++i) line[4 * r + i] = static_cast<std::byte>(bits(r, i));
  }
}

void write_codes(const Layout& layout, const Tile& tile, std::byte* out) {
  const auto code = [&](std::size_t r, std::size_t dword, std::size_t i) {
    return unsigned{tile[r][4 * dword + i]};
  };
  if (layout.bits == 8) {
    for (std::size_t j = 0; j < 8; ++j) {
      write_line(out + 64 * j, [&](std::size_t r, std::size_t i) { return code(r, j, i); });
    }
    return;
  }
  if (layout.bits == 1) {
    write_line(out, [&](std::size_t r, std::size_t i) {
      unsigned byte = 0;
      for (std::size_t j = 0; j < 8; ++j) byte |= (code(r, j, i) >> 1) << j;
      return byte;
    });
    return;
  }
  if (layout.bits == 2) {
    for (std::size_t h = 0; h < 2; ++h) {
      write_line(out + 64 * h, [&](std::size_t r, std::size_t i) {
        unsigned byte = 0;
        for (std::size_t j = 0; j < 4; ++j) byte |= (code(r, 4 * h + j, i) & 3) << (2 * j);
        return byte;
      });
    }
    return;
  }
  if (layout.bits == 6) {
    for (std::size_t i = 0; i < 6; ++i) {
      const std::size_t j = i + i / 3, fourth = i < 3 ? 3 : 7;
      write_line(out + 64 * i, [&](std::size_t r, std::size_t c) {
        return code(r, j, c) | (code(r, fourth, c) >> (2 * (i % 3)) & 3) << 6;
      });
    }
    return;
  }
  for (std::size_t j = 0; j < 4; ++j) {
    write_line(out + 64 * j, [&](std::size_t r, std::size_t i) {
      return (code(r, j, i) & 15) | (code(r, j + 4, i) & 15) << 4;
    });
  }
  if (layout.bits == 5) {
    write_line(out + 256, [&](std::size_t r, std::size_t i) {
      unsigned byte = 0;
      for (std::size_t j = 0; j < 8; ++j) byte |= (code(r, j, i) >> 4) << j;
      return byte;
    });
  }
}

// Where block `block` of the row lies in the GGUF data.
const std::byte* source_block(const Source& src, const std::byte* row, std::uint64_t block) {
  const EncodingInfo& info = encoding_info(src.encoding);
  return row + block * 32 / info.block_weights * info.block_bytes;
}

// Scales of row r (of 16) and of block `block`, into the scale area of its super-block.
void write_scales(const Source& src, const Layout& layout, const std::byte* row, std::size_t r,
                  std::uint64_t block, std::byte* scales) {
  const std::byte* b = source_block(src, row, block);
  const std::uint64_t in_super = block % layout.super_blocks;
  const auto copy_half = [&](std::size_t to, std::size_t from) {
    std::memcpy(scales + to + 2 * r, b + from, 2);
  };
  switch (layout.scales) {
    case Scales::kScale:
      return copy_half(32 * in_super, 0);
    case Scales::kScaleMin:
      copy_half(0, 0);
      return copy_half(32, 2);
    case Scales::kSuper: {
      copy_half(0, 0);
      copy_half(32, 2);
      const auto sm = detail::k_scale_min(b + 4, static_cast<std::uint32_t>(in_super));
      scales[64 + 32 * in_super + r] = static_cast<std::byte>(sm.scale);
      scales[64 + 32 * in_super + 16 + r] = static_cast<std::byte>(sm.min);
      return;
    }
    case Scales::kSuper16:
      copy_half(0, detail::half_scale_at(src.encoding));
      scales[32 + 32 * in_super + r] = b[192 + 2 * in_super];
      scales[32 + 32 * in_super + 16 + r] = b[192 + 2 * in_super + 1];
      return;
    case Scales::kGroup64:
      return copy_half(32 * (in_super / 2), detail::half_scale_at(src.encoding));
    case Scales::kGroup128:
      return copy_half(32 * (in_super / 4), detail::half_scale_at(src.encoding));
    case Scales::kGroup256:
      return copy_half(32 * (in_super / 8), detail::half_scale_at(src.encoding));
    case Scales::kTensor:
    case Scales::kNone:
      return;
  }
}

void pack_integer_group(const Source& src, std::uint64_t group, std::byte* out) {
  const Layout layout = detail::layout_of(src.encoding);
  std::memset(out, 0, detail::group_bytes(src.encoding, src.cols));
  for (std::uint64_t block = 0; block < src.cols / 32; ++block) {
    std::byte* super = out + block / layout.super_blocks * layout.super_bytes();
    Tile tile{};
    for (std::size_t r = 0; r < kRowsPerGroup; ++r) {
      const std::byte* row = src.row(group * kRowsPerGroup + r);
      if (row == nullptr) continue;
      detail::block_codes(src.encoding, row, block, tile[r]);
      write_scales(src, layout, row, r, block, super);
    }
    const std::uint64_t in_super = block % layout.super_blocks;
    write_codes(layout, tile, super + layout.scale_bytes + in_super * layout.code_bytes());
  }
}

// Brings the bytes of all lines of a group of one bit into LineOrder::kPairs.
void pair_lines(const Layout& layout, std::uint64_t cols, std::byte* group) {
  constexpr std::size_t kPair = std::size_t{2} * detail::kLineBytes;
  for (std::uint64_t block = 0; block < cols / detail::kBlockCols; block += 2) {
    std::byte* pair = group + block / layout.super_blocks * layout.super_bytes() +
                      layout.scale_bytes + block % layout.super_blocks * detail::kLineBytes;
    std::byte lines[kPair];
    std::memcpy(lines, pair, kPair);
    for (std::size_t at = 0; at < kPair; ++at) {
      const std::size_t line = at / 64, row = at / 4 % 16, i = at % 4;
      pair[16 * (2 * i + line) + row] = lines[at];
    }
  }
}

void pack_float_group(const Source& src, std::uint64_t group, std::byte* out) {
  const std::uint64_t size = encoding_info(src.encoding).block_bytes;
  std::memset(out, 0, detail::group_bytes(src.encoding, src.cols));
  for (std::size_t r = 0; r < kRowsPerGroup; ++r) {
    const std::byte* row = src.row(group * kRowsPerGroup + r);
    if (row == nullptr) continue;
    for (std::uint64_t c = 0; c < src.cols; ++c) {
      std::memcpy(out + (c * kRowsPerGroup + r) * size, row + c * size, size);
    }
  }
}

// Bytes of half-precision numbers at the front of a super-block; what follows are whole numbers.
std::size_t half_bytes(Scales scales) {
  if (scales == Scales::kTensor || scales == Scales::kNone) return 0;
  return scales == Scales::kSuper16 ? 32 : 64;
}

}  // namespace

bool detail::all_finite_scalar(const std::byte* p, std::size_t bytes, const ExponentBits& of) {
  std::uint64_t carries = 0;
  for (const std::byte* end = p + bytes; p < end; p += sizeof carries) {
    std::uint64_t numbers;
    std::memcpy(&numbers, p, sizeof numbers);
    carries |= (numbers & of.exponents) + of.lowest;
  }
  return (carries & of.signs) == 0;
}

bool groups_are_finite(Isa isa, Encoding encoding, std::uint64_t cols, std::uint64_t group_begin,
                       std::uint64_t group_end, const std::byte* packed) {
  const std::uint64_t group = detail::group_bytes(encoding, cols);
  const std::byte* begin = packed + group_begin * group;
  const std::byte* end = packed + group_end * group;
  const Layout layout = detail::layout_of(encoding);
  if (layout.bits == 0) {
    auto all_finite = detail::all_finite_scalar;
#if defined(__x86_64__)
    if (isa != Isa::kScalar) all_finite = detail::all_finite_avx2;
#endif
    (void)isa;
    return all_finite(begin, static_cast<std::size_t>(end - begin), detail::exponent_of(encoding));
  }
  const std::size_t halves = half_bytes(layout.scales);
  const detail::ExponentBits half = detail::exponent_of(Encoding::kF16);
  bool finite = true;
  for (; halves > 0 && begin < end; begin += layout.super_bytes())
    finite = detail::all_finite_scalar(begin, halves, half) && finite;
  return finite;
}

std::size_t packed_bytes(Encoding encoding, std::uint64_t rows, std::uint64_t cols) {
  // The packed form is at most 32 times the file's (one row, padded to 16; short last super-block).
  constexpr std::uint64_t kMax = std::numeric_limits<std::size_t>::max() / 512;
  const std::size_t file_bytes = tensor_bytes(encoding, rows, cols);
  if (file_bytes == 0 || file_bytes > kMax) return 0;
  return group_count(rows) * detail::group_bytes(encoding, cols);
}

PackedMatrix rows_of_groups(const PackedMatrix& w, std::uint64_t group_begin,
                            std::uint64_t group_end) {
  PackedMatrix part = w;
  part.data += group_begin * detail::group_bytes(w.source, w.cols);
  part.rows = std::min(w.rows, group_end * kRowsPerGroup) - group_begin * kRowsPerGroup;
  return part;
}

void detail::pack_scalar(const PackTask& task) {
  const Source src{task.encoding, task.tensor, task.rows, task.cols,
                   row_bytes(task.encoding, task.cols)};
  const std::uint64_t stride = group_bytes(task.encoding, task.cols);
  const bool is_float = layout_of(task.encoding).bits == 0;
  for (std::uint64_t g = task.group_begin; g < task.group_end; ++g) {
    if (is_float) {
      pack_float_group(src, g, task.packed + g * stride);
    } else {
      pack_integer_group(src, g, task.packed + g * stride);
    }
    if (task.order == LineOrder::kPairs)
      pair_lines(layout_of(task.encoding), task.cols, task.packed + g * stride);
  }
}

void pack_groups(Isa isa, Encoding encoding, const std::byte* tensor, std::uint64_t rows,
                 std::uint64_t cols, std::uint64_t group_begin, std::uint64_t group_end,
                 std::byte* packed) {
  detail::PackTask task{encoding,    tensor,    rows,   cols,
                        group_begin, group_end, packed, detail::line_order(isa, encoding)};
#if defined(__x86_64__)
  if (isa == Isa::kAvx2 || isa == Isa::kAvxVnni || has_avx512(isa)) {
    task.group_end = std::min(group_end, rows / kRowsPerGroup);
    detail::pack_avx2(task);
    task.group_begin = std::max(group_begin, task.group_end);  // a last group that is not full
    task.group_end = group_end;
  }
#endif
  (void)isa;
  detail::pack_scalar(task);
}

}  // namespace tophand::kernels
