// AMX (Intel, Sapphire Rapids on): a tile of int8 activations times a tile of codes is one
// instruction, eight times the rate of vpdpbusd. I2_S times many tokens only; everything else is
// AVX-512's. (Encodings with scales have to take the sums out of the tiles every 32 columns: Q4_K
// ran at 0.8 times the rate of AVX-512 so.)
//
// tdpbsud multiplies signed rows of A by unsigned columns of B: A is 16 tokens times 32 columns,
// straight from the activation records (rows token_bytes() apart), B a block of a group as a Panel
// has it (eight dwords times 16 rows: the layout that B wants), C 16 tokens times 16 rows, int32.
// Two of each make 32 tokens times kPanelGroups groups.
//
// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18.
#if defined(__x86_64__)

#include <cstddef>

#include "kernels/matmul_driver.h"
#include "kernels/simd_amx.h"

namespace tophand::kernels::detail {
namespace {

static_assert(kPanelGroups == 2 && kWideTokens == 32);

// Tile registers: C of a token half and a group; A of a token half; B of a group. Macros, because
// GCC's intrinsics paste them into the instruction.
#define C00 0
#define C01 1
#define C10 2
#define C11 3
#define A0 4
#define A1 5
#define B0 6
#define B1 7

constexpr TileConfig tile_config() {
  TileConfig config;
  for (std::size_t i = C00; i <= C11; ++i) config.row_bytes[i] = 64, config.rows[i] = 16;
  for (std::size_t i = A0; i <= A1; ++i) config.row_bytes[i] = kBlockCols, config.rows[i] = 16;
  for (std::size_t i = B0; i <= B1; ++i) config.row_bytes[i] = 64, config.rows[i] = kBlockCols / 4;
  return config;
}

TOPHAND_TARGET void begin() {
  static constexpr TileConfig kConfig = tile_config();
  _tile_loadconfig(&kConfig);
}

TOPHAND_TARGET void end() {
  _tile_release();
}

TOPHAND_INLINE void zero_sums() {
  _tile_zero(C00);
  _tile_zero(C01);
  _tile_zero(C10);
  _tile_zero(C11);
}

// C += A B. `token`: the columns of the first token; `codes`: those of the first group.
TOPHAND_INLINE void multiply(const std::int8_t* token, std::size_t token_stride,
                             const std::uint8_t* codes) {
  constexpr std::size_t kGroupBytes = sizeof(Panel::codes[0][0]);
  _tile_loadd(A0, token, token_stride);
  _tile_loadd(B0, codes, kLineBytes);
  _tile_dpbsud(C00, A0, B0);
  _tile_loadd(B1, codes + kGroupBytes, kLineBytes);
  _tile_dpbsud(C01, A0, B1);
  _tile_loadd(A1, token + 16 * token_stride, token_stride);
  _tile_dpbsud(C10, A1, B0);
  _tile_dpbsud(C11, A1, B1);
}

// The sums of all tokens and groups, `stride` bytes from one token to the next.
TOPHAND_INLINE void store_sums(void* to, std::size_t stride) {
  auto* first = static_cast<std::byte*>(to);
  _tile_stored(C00, first, stride);
  _tile_stored(C01, first + 64, stride);
  _tile_stored(C10, first + 16 * stride, stride);
  _tile_stored(C11, first + 16 * stride + 64, stride);
}

// Int32 of 32 tokens and both groups.
struct Dots {
  alignas(64) std::int32_t of[kWideTokens][kPanelGroups][16];
};

// I2_S: sums stay in the tiles over the whole panel.
TOPHAND_TARGET void integer_wide(const TilePiece& piece, std::size_t token_stride) {
  const auto sum_stride = static_cast<std::size_t>(piece.sums[1] - piece.sums[0]) * sizeof(float);
  const auto* sums = reinterpret_cast<const std::byte*>(piece.sum(0));
  if (piece.fresh) {
    zero_sums();
  } else {
    _tile_loadd(C00, sums, sum_stride);
    _tile_loadd(C01, sums + 64, sum_stride);
    _tile_loadd(C10, sums + 16 * sum_stride, sum_stride);
    _tile_loadd(C11, sums + 16 * sum_stride + 64, sum_stride);
  }
  const ActivationBlock* token = piece.token(0);
  for (std::uint64_t b = 0; b < piece.blocks; ++b)
    multiply(token[b].q, token_stride, piece.panel->codes[piece.panel_first + b][0][0]);
  if (!piece.last) return store_sums(piece.sum(0), sum_stride);
  Dots dots;
  store_sums(&dots, sizeof dots.of[0]);
  for (std::size_t t = 0; t < kWideTokens; ++t) {
    const __m512i start = _mm512_set1_epi32(piece.starts[t]);
    const __m512 factor = _mm512_set1_ps(piece.factors[t]);
    for (std::size_t r = 0; r < kPanelGroups; ++r) {
      const __m512i dot = _mm512_add_epi32(_mm512_load_si512(dots.of[t][r]), start);
      _mm512_storeu_ps(piece.sum(t) + 16 * r, _mm512_mul_ps(_mm512_cvtepi32_ps(dot), factor));
    }
  }
}

}  // namespace

void matmul_amx(const MatmulTask& task) {
  KernelSet set = kernels_avx512(task.w.source);
  if (layout_of(task.w.source).scales == Scales::kTensor) {
    set.wide = integer_wide;
    set.wide_begin = begin;
    set.wide_end = end;
  }
  run_matmul(task, set);
}

}  // namespace tophand::kernels::detail

#endif  // __x86_64__
