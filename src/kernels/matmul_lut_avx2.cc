// Ternary weights times many tokens by table lookup, without a multiplication: a vector of int16
// holds one sum of 16 tokens, and a table has the sum of every combination of four weights with
// four columns of these tokens, 3^4 = 81 vectors (Vec-LUT, arXiv 2512.06443). One load and one
// addition do 64 multiply-adds, where vpmaddubsw and vpaddw need two instructions for 32.
//
// Exact: int16 sums are widened before the magnitudes that went into them can pass 32767. The 128
// columns of a run add at most 128 * 127 = 16256, and ordinary activations a fifth of that.
#if defined(__x86_64__)

#include "kernels/matmul_lut.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "kernels/simd_avx2.h"

namespace tophand::kernels::detail {
namespace {

constexpr std::size_t kLutTokens = kTablePart.tile_tokens;
// Each range of rows builds all tables again: with 256 rows that costs what it saves.
constexpr std::uint64_t kLutGroupsMin = kTablePart.least_groups;
constexpr Layout kLayout = layout_of(Encoding::kI2_S);
constexpr std::size_t kEntries = 81;
constexpr std::size_t kTables = 8;     // of a block of 32 columns: 20 KiB, which stay in L1
constexpr std::size_t kRunBlocks = 4;  // what is done with one tile of tokens before the next
constexpr std::size_t kTilesMax = kTablePart.tokens / kLutTokens;
constexpr std::size_t kRowsMax =
    kTablePart.groups * kRowsPerGroup;  // 160 KiB of sums, 80 of indices
constexpr std::int32_t kSumMax = 32767;
constexpr std::uint64_t kGroupsAhead = 4;  // whose lines are asked for

struct alignas(32) Entry {
  std::int16_t tokens[kLutTokens];
};

// Where a row's entries lie in the tables of one block: 16 bits a table, in bytes.
struct alignas(16) Index {
  std::uint64_t four[2];
};

// Sixteen tokens.
struct Tile {
  const ActivationBlock* tokens[kLutTokens];
  float factors[kLutTokens];
  float* out;         // of the first token and row
  std::int32_t most;  // magnitude that a sum can have
  bool empty;         // the int16 sums
  bool widened;       // there are int32 sums in `out`
};

// Sums and indices are as close together as the rows of the part allow: fixed distances would be
// powers of two, which share a cache's sets.
struct Work {
  Entry tables[kTables][kEntries];
  Entry sums[kTilesMax * kRowsMax];                // [tile][row]
  alignas(32) Index index[kRunBlocks * kRowsMax];  // [block][row]
  alignas(32) std::int8_t columns[kRunBlocks * kBlockCols][kLutTokens];
  Tile tiles[kTilesMax];
};

// Some groups of a task.
struct Rows {
  const MatmulTask& task;
  std::uint64_t group, groups;

  std::uint64_t count() const { return groups * kRowsPerGroup; }
};

struct Blocks {
  std::uint64_t first, count;
};

// Entries, from the bytes of a line: a byte has the codes of columns i, i + 4, i + 8 and i + 12 of
// its row, each half of it a base-4 number that becomes base 3.
TOPHAND_INLINE __m256i entries_of(const std::byte* codes) {
  const __m256i packed = _mm256_load_si256(reinterpret_cast<const __m256i*>(codes));
  const __m256i half = _mm256_set1_epi8(15);
  const __m256i low =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 0, 3, 4, 5, 0, 6, 7, 8, 0, 0, 0, 0, 0));
  const __m256i high = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(0, 9, 18, 0, 27, 36, 45, 0, 54, 63, 72, 0, 0, 0, 0, 0));
  return _mm256_add_epi8(
      _mm256_shuffle_epi8(low, _mm256_and_si256(packed, half)),
      _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(packed, 4), half)));
}

TOPHAND_INLINE __m256i offsets(__m256i entries) {
  static_assert(sizeof(Entry) == 1 << 5);
  return _mm256_slli_epi16(entries, 5);
}

// Eight rows of a block: `codes` points at their half of its first line.
TOPHAND_INLINE void index_rows(const std::byte* codes, Index* out) {
  const __m256i first = entries_of(codes), second = entries_of(codes + kLineBytes);
  const __m256i low = _mm256_unpacklo_epi32(first, second);   // rows 0 1, 4 5
  const __m256i high = _mm256_unpackhi_epi32(first, second);  // rows 2 3, 6 7
  const __m256i zero = _mm256_setzero_si256();
  const __m256i rows04 = offsets(_mm256_unpacklo_epi8(low, zero)),
                rows15 = offsets(_mm256_unpackhi_epi8(low, zero)),
                rows26 = offsets(_mm256_unpacklo_epi8(high, zero)),
                rows37 = offsets(_mm256_unpackhi_epi8(high, zero));
  auto* to = reinterpret_cast<__m256i*>(out);
  _mm256_store_si256(to, _mm256_permute2x128_si256(rows04, rows15, 0x20));
  _mm256_store_si256(to + 1, _mm256_permute2x128_si256(rows26, rows37, 0x20));
  _mm256_store_si256(to + 2, _mm256_permute2x128_si256(rows04, rows15, 0x31));
  _mm256_store_si256(to + 3, _mm256_permute2x128_si256(rows26, rows37, 0x31));
}

TOPHAND_TARGET void fill_index(const Rows& rows, Blocks blocks, Work& work) {
  const std::uint64_t stride = group_bytes(Encoding::kI2_S, rows.task.w.cols);
  for (std::uint64_t g = 0; g < rows.groups; ++g) {
    const std::byte* lines =
        rows.task.w.data + (rows.group + g) * stride + blocks.first * kLayout.super_bytes();
    // The next run's, which is some 10^5 cycles away, would be gone again: asking for them cost
    // more.
    const std::byte* later = lines + kGroupsAhead * stride;
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kRunBlocks * kLayout.super_bytes(); i += kLineBytes) {
      __builtin_prefetch(later + i, 0, 3);
    }
    for (std::uint64_t b = 0; b < blocks.count; ++b) {
      Index* out = work.index + b * rows.count() + g * kRowsPerGroup;
      index_rows(lines, out);
      index_rows(lines + kLineBytes / 2, out + 8);
      lines += kLayout.code_bytes();
    }
  }
}

// The activations of 16 tokens column by column. Interleaving the bytes of tokens t and t + 8 four
// times leaves the tokens in order.
TOPHAND_TARGET void transpose(const Tile& tile, Blocks blocks, Work& work) {
  for (std::uint64_t half = 0; half < 2 * blocks.count; ++half) {
    __m128i a[kLutTokens];
#pragma GCC unroll 16
    for (std::size_t t = 0; t < kLutTokens; ++t) {
      const std::int8_t* q = tile.tokens[t][blocks.first + half / 2].q + 16 * (half % 2);
      a[t] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(q));
    }
#pragma GCC unroll 4
    for (std::size_t level = 0; level < 4; ++level) {
      __m128i next[kLutTokens];
#pragma GCC unroll 8
      for (std::size_t t = 0; t < 8; ++t) {
        next[2 * t] = _mm_unpacklo_epi8(a[t], a[t + 8]);
        next[2 * t + 1] = _mm_unpackhi_epi8(a[t], a[t + 8]);
      }
#pragma GCC unroll 16
      for (std::size_t t = 0; t < kLutTokens; ++t) a[t] = next[t];
    }
#pragma GCC unroll 16
    for (std::size_t c = 0; c < 16; ++c) {
      _mm_store_si128(reinterpret_cast<__m128i*>(work.columns[16 * half + c]), a[c]);
    }
  }
}

// Asks for the activations that transpose() reads next: they lie as far apart as tokens do, where
// no hardware looks ahead.
TOPHAND_TARGET void ask_for(const Tile& tile, Blocks blocks) {
  for (const ActivationBlock* token : tile.tokens) {
    const auto* from = reinterpret_cast<const char*>(token + blocks.first);
    const auto* last = reinterpret_cast<const char*>(token + blocks.first + blocks.count) - 1;
    for (; from < last; from += kLineBytes) __builtin_prefetch(from, 0, 2);
    __builtin_prefetch(last, 0, 2);
  }
}

// The largest sum of magnitudes that one of the tokens has in these blocks.
TOPHAND_TARGET std::int32_t most_magnitude(const Work& work, std::uint64_t blocks) {
  __m256i sum = _mm256_setzero_si256();
  for (std::uint64_t c = 0; c < blocks * kBlockCols; ++c) {
    const __m128i q = _mm_load_si128(reinterpret_cast<const __m128i*>(work.columns[c]));
    sum = _mm256_add_epi16(sum, _mm256_cvtepu8_epi16(_mm_abs_epi8(q)));
  }
  alignas(32) std::uint16_t sums[kLutTokens];
  _mm256_store_si256(reinterpret_cast<__m256i*>(sums), sum);
  return *std::max_element(sums, sums + kLutTokens);
}

// All sums of w_i times column 4 i, w in {-1, 0, 1}; entry (w_0 + 1) + 3 (w_1 + 1) + ...
TOPHAND_INLINE void fill_table(const std::int8_t (*columns)[kLutTokens], Entry* table) {
  const __m256i zero = _mm256_setzero_si256();
  __m256i signs[4][3];
  for (std::size_t i = 0; i < 4; ++i) {
    signs[i][1] = zero;
    signs[i][2] =
        _mm256_cvtepi8_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(columns[4 * i])));
    signs[i][0] = _mm256_sub_epi16(zero, signs[i][2]);
  }
  auto* out = reinterpret_cast<__m256i*>(table);
#pragma GCC unroll 3
  for (std::size_t w3 = 0; w3 < 3; ++w3) {
#pragma GCC unroll 3
    for (std::size_t w2 = 0; w2 < 3; ++w2) {
      const __m256i sum2 = _mm256_add_epi16(signs[3][w3], signs[2][w2]);
#pragma GCC unroll 3
      for (std::size_t w1 = 0; w1 < 3; ++w1) {
        const __m256i sum1 = _mm256_add_epi16(sum2, signs[1][w1]);
        _mm256_store_si256(out++, _mm256_add_epi16(sum1, signs[0][0]));
        _mm256_store_si256(out++, sum1);
        _mm256_store_si256(out++, _mm256_add_epi16(sum1, signs[0][2]));
      }
    }
  }
}

// A sum in the order written: GCC 12 would add the entries up in another and wait longer.
TOPHAND_INLINE __m256i add16(__m256i sum, __m256i entry) {
  sum = _mm256_add_epi16(sum, entry);
  asm("" : "+x"(sum));
  return sum;
}

// The entry of table t: its offset is taken out of four by one instruction (BMI1's bextr in the
// middle). Instructions are what limits this loop, twice so where a neighbour shares the core.
template <std::size_t t>
TOPHAND_INLINE __m256i entry(const std::byte* tables, const std::uint64_t (&four)[2]) {
  const std::uint64_t from = four[t / 4];
  std::uint64_t offset;
  if constexpr (t % 4 == 0) {
    offset = static_cast<std::uint16_t>(from);
  } else if constexpr (t % 4 == 3) {
    offset = from >> 48;
  } else {
    offset = _bextr_u64(from, 16 * (t % 4), 16);
  }
  return _mm256_load_si256(
      reinterpret_cast<const __m256i*>(tables + offset + t * kEntries * sizeof(Entry)));
}

// sum += the entries of table t for two rows.
template <std::size_t t>
TOPHAND_INLINE void add_entries(const std::byte* tables, const std::uint64_t (&first)[2],
                                const std::uint64_t (&second)[2], __m256i (&sum)[2]) {
  sum[0] = add16(sum[0], entry<t>(tables, first));
  sum[1] = add16(sum[1], entry<t>(tables, second));
}

// sums += the entries of all rows, an even number. With `kFirst` the sums start at zero.
template <bool kFirst>
TOPHAND_TARGET void look_up(const Entry (&all)[kTables][kEntries], const Index* index,
                            std::uint64_t rows, Entry* sums) {
  const auto* tables = reinterpret_cast<const std::byte*>(all);
  for (std::uint64_t r = 0; r < rows; r += 2) {
    asm("" : "+r"(tables));  // else GCC keeps an address for each table, most of them in memory
    auto* out = reinterpret_cast<__m256i*>(sums + r);
    const std::uint64_t first[2] = {index[r].four[0], index[r].four[1]};
    const std::uint64_t second[2] = {index[r + 1].four[0], index[r + 1].four[1]};
    __m256i sum[2] = {entry<0>(tables, first), entry<0>(tables, second)};
    if constexpr (!kFirst) {
      sum[0] = add16(sum[0], _mm256_load_si256(out));
      sum[1] = add16(sum[1], _mm256_load_si256(out + 1));
    }
    add_entries<1>(tables, first, second, sum);
    add_entries<2>(tables, first, second, sum);
    add_entries<3>(tables, first, second, sum);
    add_entries<4>(tables, first, second, sum);
    add_entries<5>(tables, first, second, sum);
    add_entries<6>(tables, first, second, sum);
    add_entries<7>(tables, first, second, sum);
    _mm256_store_si256(out, sum[0]);
    _mm256_store_si256(out + 1, sum[1]);
  }
}

struct Square {
  alignas(32) std::int32_t row[16][16];  // of 16 tokens
};

// Rows become tokens: out[t][r] = row[r][t] * factor[t].
TOPHAND_TARGET void store_floats(const Square& in, const float* factors, float* out,
                                 std::uint64_t stride) {
  for (std::size_t t0 = 0; t0 < 16; t0 += 8) {
    for (std::size_t r0 = 0; r0 < 16; r0 += 8) {
      __m256 a[8], b[8];
      for (std::size_t i = 0; i < 8; ++i) {
        a[i] = _mm256_cvtepi32_ps(
            _mm256_load_si256(reinterpret_cast<const __m256i*>(in.row[r0 + i] + t0)));
      }
      for (std::size_t i = 0; i < 8; i += 2) {
        b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
        b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
      }
      for (std::size_t i = 0; i < 8; i += 4) {
        for (std::size_t j = 0; j < 2; ++j) {
          const __m256d low = _mm256_castps_pd(b[i + j]), high = _mm256_castps_pd(b[i + j + 2]);
          a[i + 2 * j] = _mm256_castpd_ps(_mm256_unpacklo_pd(low, high));
          a[i + 2 * j + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(low, high));
        }
      }
      for (std::size_t i = 0; i < 8; ++i) {
        const __m256 row = i < 4 ? _mm256_permute2f128_ps(a[i], a[i + 4], 0x20)
                                 : _mm256_permute2f128_ps(a[i - 4], a[i], 0x31);
        const __m256 factor = _mm256_set1_ps(factors[t0 + i]);
        _mm256_storeu_ps(out + (t0 + i) * stride + r0, _mm256_mul_ps(row, factor));
      }
    }
  }
}

// What becomes of int16 sums: int32 sums where their floats will be, a row in the place of a token,
// or the floats.
enum class Widen { kKeep, kFinish };

template <Widen kWhat>
TOPHAND_TARGET void widen(const Rows& rows, Tile& tile, const Entry* sums) {
  const std::uint64_t stride = rows.task.out_stride;
  for (std::uint64_t g = 0; g < rows.groups; ++g) {
    float* out = tile.out + g * kRowsPerGroup;
    Square square;
    for (std::size_t r = 0; r < kRowsPerGroup; ++r) {
      auto* kept = reinterpret_cast<__m256i*>(out + r * stride);
      for (std::size_t half = 0; half < 2; ++half) {
        const std::int16_t* from = sums[g * kRowsPerGroup + r].tokens + 8 * half;
        __m256i sum = _mm256_cvtepi16_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(from)));
        if (tile.widened) sum = _mm256_add_epi32(sum, _mm256_loadu_si256(kept + half));
        if constexpr (kWhat == Widen::kKeep) {
          _mm256_storeu_si256(kept + half, sum);
        } else {
          _mm256_store_si256(reinterpret_cast<__m256i*>(square.row[r]) + half, sum);
        }
      }
    }
    if constexpr (kWhat == Widen::kFinish) store_floats(square, tile.factors, out, stride);
  }
  tile.widened = tile.empty = true;
  tile.most = 0;
}

// The largest magnitude among the sums.
TOPHAND_TARGET std::int32_t largest(const Rows& rows, const Entry* sums) {
  const auto* from = reinterpret_cast<const __m256i*>(sums);
  __m256i most[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
  for (std::uint64_t r = 0; r < rows.count(); r += 2) {
    most[0] = _mm256_max_epi16(most[0], _mm256_abs_epi16(_mm256_load_si256(from + r)));
    most[1] = _mm256_max_epi16(most[1], _mm256_abs_epi16(_mm256_load_si256(from + r + 1)));
  }
  alignas(32) std::int16_t lanes[kLutTokens];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), _mm256_max_epi16(most[0], most[1]));
  return *std::max_element(lanes, lanes + kLutTokens);
}

void start_tile(const Rows& rows, std::uint64_t token, Tile& tile) {
  const MatmulTask& task = rows.task;
  for (std::size_t t = 0; t < kLutTokens; ++t) {
    const TokenView view =
        token_view(task.activations, ActivationForm::kInt8Token, task.w.cols, token + t);
    tile.tokens[t] = view.blocks;
    tile.factors[t] = view.header->token_scale * task.w.tensor_scale;
  }
  tile.out = task.out + token * task.out_stride + rows.group * kRowsPerGroup;
  tile.most = 0;
  tile.empty = true;
  tile.widened = false;
}

TOPHAND_TARGET void run_tile(const Rows& rows, Blocks blocks, std::size_t at, Work& work) {
  Tile& tile = work.tiles[at];
  Entry* sums = work.sums + at * rows.count();
  transpose(tile, blocks, work);
  const std::int32_t most = most_magnitude(work, blocks.count);
  // Signs differ, so that sums are far from what they could be: they last for many runs more.
  if (tile.most + most > kSumMax) tile.most = largest(rows, sums);
  if (tile.most + most > kSumMax) widen<Widen::kKeep>(rows, tile, sums);
  tile.most += most;
  for (std::uint64_t b = 0; b < blocks.count; ++b) {
    for (std::size_t t = 0; t < kTables; ++t) {
      fill_table(work.columns + kBlockCols * b + 16 * (t / 4) + t % 4, work.tables[t]);
    }
    if (tile.empty) {
      look_up<true>(work.tables, work.index + b * rows.count(), rows.count(), sums);
    } else {
      look_up<false>(work.tables, work.index + b * rows.count(), rows.count(), sums);
    }
    tile.empty = false;
  }
}

// Up to kRowsMax rows and kTilesMax tiles of tokens.
void run_rows(const Rows& rows, std::uint64_t token, std::uint64_t tiles, Work& work) {
  for (std::uint64_t i = 0; i < tiles; ++i) {
    start_tile(rows, token + i * kLutTokens, work.tiles[i]);
  }
  const std::uint64_t blocks = rows.task.w.cols / kBlockCols;
  for (std::uint64_t b = 0; b < blocks; b += kRunBlocks) {
    const Blocks run{b, std::min<std::uint64_t>(kRunBlocks, blocks - b)};
    fill_index(rows, run, work);
    const Blocks next{b + run.count, std::min<std::uint64_t>(kRunBlocks, blocks - b - run.count)};
    for (std::uint64_t i = 0; i < tiles; ++i) {
      if (next.count > 0) ask_for(work.tiles[i], next);
      run_tile(rows, run, i, work);
    }
  }
  for (std::uint64_t i = 0; i < tiles; ++i) {
    widen<Widen::kFinish>(rows, work.tiles[i], work.sums + i * rows.count());
  }
}

// A multiple of kLutTokens tokens and groups all of whose rows exist.
// Not inline: what run_matmul_with_lut() calls next would lie above its tables on the stack.
[[gnu::noinline]] void lut_matmul(const MatmulTask& task) {
  Work work;  // 265 KiB, which are not touched where there are few rows or tokens
  constexpr std::uint64_t kGroups = kRowsMax / kRowsPerGroup, kTokens = kTilesMax * kLutTokens;
  for (std::uint64_t t = 0; t < task.tokens; t += kTokens) {
    const std::uint64_t tiles = std::min(kTokens, task.tokens - t) / kLutTokens;
    for (std::uint64_t g = task.group_begin; g < task.group_end; g += kGroups) {
      run_rows({task, g, std::min(kGroups, task.group_end - g)}, t, tiles, work);
    }
  }
}

}  // namespace

void run_matmul_with_lut(const MatmulTask& task, const KernelSet& kernels) {
  MatmulTask tables = task;
  tables.group_end = std::min(task.group_end, task.w.rows / kRowsPerGroup);
  tables.tokens = task.tokens / kLutTokens * kLutTokens;
  if (task.w.source != Encoding::kI2_S || tables.tokens == 0 ||
      tables.group_end < tables.group_begin + kLutGroupsMin) {
    return run_matmul(task, kernels);
  }
  lut_matmul(tables);
  if (tables.group_end < task.group_end) {
    MatmulTask groups = tables;
    groups.group_begin = tables.group_end;
    groups.group_end = task.group_end;
    run_matmul(groups, kernels);
  }
  if (tables.tokens < task.tokens) {
    MatmulTask tokens = task;
    tokens.tokens -= tables.tokens;
    tokens.activations += tables.tokens * token_bytes(ActivationForm::kInt8Token, task.w.cols);
    tokens.out += tables.tokens * task.out_stride;
    run_matmul(tokens, kernels);
  }
}

}  // namespace tophand::kernels::detail

#endif  // __x86_64__
