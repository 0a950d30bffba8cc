#include "kernels/matmul_driver.h"

#include <algorithm>
#include <cstring>

#include "kernels/cpu.h"

namespace tophand::kernels::detail {

Reading few_reading(Layout l) {
  static const bool amd = made_by_amd();
  return amd ? Reading{1024, true} : Reading{default_ahead(l), false};
}

namespace {

// The columns that a panel covers.
struct Columns {
  std::uint64_t first;   // block
  std::uint64_t blocks;  // at most kPanelBlocks
};

struct Run {
  const MatmulTask& task;
  const KernelSet& kernels;
  ActivationForm form = kernels.tables && task.tokens <= kTableTokens ? ActivationForm::kInt8Tables
                                                                      : base_form(task.w.source);
  Layout layout = layout_of(task.w.source);
  std::uint64_t stride = group_bytes(task.w.source, task.w.cols);

  const std::byte* group(std::uint64_t g) const { return task.w.data + g * stride; }

  TokenView token(std::uint64_t t) const {
    return token_view(task.activations, form, task.w.cols, t);
  }
  const float* floats(std::uint64_t t) const {
    return reinterpret_cast<const float*>(task.activations) + t * task.w.cols;
  }

  void few(std::uint64_t first, std::uint64_t count) const;
};

void Run::few(std::uint64_t first, std::uint64_t count) const {
  FewPiece piece{};
  piece.cols = task.w.cols;
  piece.tensor_scale = task.w.tensor_scale;
  if (layout.bits != 0) piece.reading = few_reading(layout);
  for (std::uint64_t t = 0; t < count; ++t) {
    if (form == ActivationForm::kFloat32) {
      piece.x[t] = floats(first + t);
    } else {
      piece.tokens[t] = token(first + t);
    }
  }
  // Streams lie as far apart as they can. What is left is one more step, which takes the last group
  // more than once.
  const std::uint64_t groups = task.group_end - task.group_begin;
  const std::uint64_t streams = few_streams(count);
  const std::uint64_t apart = groups / streams;
  for (std::uint64_t i = 0; i < apart + (groups % streams != 0 ? 1 : 0); ++i) {
    std::uint64_t taken[kStreams];
    for (std::uint64_t s = 0; s < streams; ++s) {
      const std::uint64_t at = i < apart ? i + s * apart : streams * apart + s;
      taken[s] = task.group_begin + std::min(at, groups - 1);
      piece.groups[s] = group(taken[s]);
    }
    FewSums sums;
    kernels.few[count - 1](piece, sums);
    for (std::uint64_t s = 0; s < streams; ++s) {
      for (std::uint64_t t = 0; t < count; ++t) store_rows(task, taken[s], first + t, sums[s][t]);
    }
  }
}

// The blocked product of up to kTokensAtOnce tokens. What a tile needs of its tokens is worked out
// once a run: a tile takes some thousand cycles.
class PanelRun {
 public:
  PanelRun(const Run& run, std::uint64_t first, std::uint64_t count)
      : run_(run),
        first_(first),
        count_(count),
        wide_(run.kernels.wide == nullptr ? 0 : count / kWideTokens * kWideTokens) {
    for (std::uint64_t t = 0; t < count; ++t) {
      const TokenView view = run.token(first + t);
      tokens_[t] = view.blocks;
      starts_[t] = view.header->negative_sum;
      factors_[t] = view.header->token_scale * run.task.w.tensor_scale;
      sums_[t] = run.task.out + (first + t) * run.task.out_stride;
      incomplete_sums_[t] = incomplete_[t][0].row;
      if (view.header->extra_count == 0) continue;
      with_extras_[extra_tokens_++] = {view.extra, view.extra + view.header->extra_count,
                                       static_cast<std::uint32_t>(t)};
    }
  }

  void run() {
    if (wide_ > 0) run_.kernels.wide_begin();
    run_panels();
    if (wide_ > 0) run_.kernels.wide_end();
    store_incomplete();
  }

 private:
  void run_panels() {
    const std::uint64_t all = run_.task.w.cols / kBlockCols;
    for (std::uint64_t b = 0; b < all; b += kPanelBlocks) {
      columns_ = {b, std::min<std::uint64_t>(kPanelBlocks, all - b)};
      last_ = b + columns_.blocks == all;
      collect_extras();
      for (std::uint64_t g = run_.task.group_begin; g < run_.task.group_end; g += kPanelGroups) {
        multiply_pair(g);
      }
    }
  }

  std::uint64_t pair_groups(std::uint64_t g) const {
    return std::min<std::uint64_t>(kPanelGroups, run_.task.group_end - g);
  }
  // Sums of whole pairs are kept in the output itself, those of a last, incomplete one aside.
  bool whole(std::uint64_t g) const {
    return g + kPanelGroups <= run_.task.group_end &&
           (g + kPanelGroups) * kRowsPerGroup <= run_.task.w.rows;
  }
  // Where the sums of the pair at g are: sums(g)[t] + offset(g).
  float* const* sums(std::uint64_t g) const { return whole(g) ? sums_ : incomplete_sums_; }
  std::uint64_t offset(std::uint64_t g) const { return whole(g) ? g * kRowsPerGroup : 0; }

  void collect_extras();
  void multiply_pair(std::uint64_t g);
  void run_tiles(std::uint64_t g);
  void run_extras(std::uint64_t g);
  void store_incomplete();

  // Asks for a part of the lines of the next pair, so that they come while this one is multiplied.
  struct Ahead {
    const std::byte* from[kPanelGroups];
    std::uint64_t lines;  // of each group
    std::uint64_t at = 0;

    void ask(std::uint64_t count) {
      for (const std::uint64_t end = std::min(lines, at + count); at < end; ++at) {
        for (const std::byte* p : from) __builtin_prefetch(p + at * kLineBytes);
      }
    }
  };
  Ahead next_pair(std::uint64_t g) const;

  const Run& run_;
  std::uint64_t first_, count_;
  std::uint64_t wide_;  // of these in wide tiles, the first
  Columns columns_{};
  bool last_ = false;
  Panel panel_;
  const ActivationBlock* tokens_[kTokensAtOnce];
  std::int32_t starts_[kTokensAtOnce];
  float factors_[kTokensAtOnce];
  float* sums_[kTokensAtOnce];
  float* incomplete_sums_[kTokensAtOnce];
  struct TokenExtras {
    const ActivationBlock *next, *end;
    std::uint32_t token;
  };
  TokenExtras with_extras_[kTokensAtOnce];
  std::size_t extra_tokens_ = 0;
  // Residual blocks of these columns (a block has at most one), those of block b at
  // [extras_at_[b], extras_at_[b + 1]), and where the sums of their tokens go.
  std::size_t extras_at_[kPanelBlocks + 1];
  const ActivationBlock* extras_[kTokensAtOnce * kPanelBlocks];
  float* extra_sums_[kTokensAtOnce * kPanelBlocks];
  float* extra_incomplete_sums_[kTokensAtOnce * kPanelBlocks];
  GroupSums incomplete_[kTokensAtOnce][kPanelGroups];
};

// The residual blocks that fall into these columns, block by block: outliers tend to be in the same
// columns of every token, so tiles of them fill up.
void PanelRun::collect_extras() {
  const std::uint64_t end = columns_.first + columns_.blocks;
  std::size_t counts[kPanelBlocks] = {};
  for (std::size_t i = 0; i < extra_tokens_; ++i) {
    const TokenExtras& of = with_extras_[i];
    for (const ActivationBlock* e = of.next; e != of.end && e->block < end; ++e)
      ++counts[e->block - columns_.first];
  }
  extras_at_[0] = 0;
  for (std::size_t b = 0; b < kPanelBlocks; ++b) extras_at_[b + 1] = extras_at_[b] + counts[b];
  std::size_t to[kPanelBlocks];
  std::copy_n(extras_at_, kPanelBlocks, to);
  for (std::size_t i = 0; i < extra_tokens_; ++i) {
    TokenExtras& of = with_extras_[i];
    for (; of.next != of.end && of.next->block < end; ++of.next) {
      const std::size_t at = to[of.next->block - columns_.first]++;
      extras_[at] = of.next;
      extra_sums_[at] = sums_[of.token];
      extra_incomplete_sums_[at] = incomplete_sums_[of.token];
    }
  }
}

PanelRun::Ahead PanelRun::next_pair(std::uint64_t g) const {
  std::uint64_t next = g + kPanelGroups, first = columns_.first;
  if (next >= run_.task.group_end) {
    next = run_.task.group_begin;
    first += kPanelBlocks;
  }
  const std::uint64_t supers =
      (columns_.blocks + run_.layout.super_blocks - 1) / run_.layout.super_blocks;
  const std::byte* from =
      run_.group(next) + first / run_.layout.super_blocks * run_.layout.super_bytes();
  return {{from, from + run_.stride}, supers * run_.layout.super_bytes() / kLineBytes};
}

void PanelRun::multiply_pair(std::uint64_t g) {
  for (std::uint64_t i = 0; i < pair_groups(g); ++i) {
    run_.kernels.unpack(run_.group(g + i), columns_.first, columns_.blocks, i, panel_);
  }
  run_tiles(g);
  run_extras(g);
}

// All tiles of the tokens, of nearly equal size.
void PanelRun::run_tiles(std::uint64_t g) {
  Ahead ahead = next_pair(g);
  TilePiece piece{};
  piece.panel = &panel_;
  piece.blocks = columns_.blocks;
  piece.fresh = columns_.first == 0;
  piece.last = last_;
  piece.first_block = columns_.first;
  piece.offset = offset(g);
  float* const* const to = sums(g);
  const std::uint64_t narrow = count_ - wide_;
  std::uint64_t tiles = (narrow + run_.kernels.tile_tokens - 1) / run_.kernels.tile_tokens;
  const std::uint64_t all = wide_ / kWideTokens + tiles;
  const std::uint64_t share = (ahead.lines + all - 1) / all;
  const auto at = [&](std::uint64_t token) {
    piece.tokens = tokens_ + token;
    piece.sums = to + token;
    piece.starts = starts_ + token;
    piece.factors = factors_ + token;
    ahead.ask(share);
  };
  std::uint64_t done = 0;
  for (; done < wide_; done += kWideTokens) {
    at(done);
    run_.kernels.wide(piece, token_bytes(run_.form, run_.task.w.cols));
  }
  for (; done < count_; --tiles) {
    const std::uint64_t tokens = (count_ - done + tiles - 1) / tiles;
    at(done);
    run_.kernels.tile[tokens - 1](piece);
    done += tokens;
  }
}

void PanelRun::run_extras(std::uint64_t g) {
  float* const* const to = whole(g) ? extra_sums_ : extra_incomplete_sums_;
  TilePiece piece{};
  piece.panel = &panel_;
  piece.blocks = 1;
  piece.offset = offset(g);
  for (std::size_t b = 0; b < kPanelBlocks; ++b) {
    piece.panel_first = b;
    for (std::size_t at = extras_at_[b]; at < extras_at_[b + 1];) {
      const std::size_t tokens = std::min(extras_at_[b + 1] - at, run_.kernels.tile_tokens);
      piece.tokens = extras_ + at;
      piece.sums = to + at;
      run_.kernels.tile[tokens - 1](piece);
      at += tokens;
    }
  }
}

void PanelRun::store_incomplete() {
  const std::uint64_t odd = (run_.task.group_end - run_.task.group_begin) % kPanelGroups;
  const std::uint64_t g = run_.task.group_end - (odd == 0 ? kPanelGroups : odd);
  if (whole(g)) return;
  for (std::uint64_t t = 0; t < count_; ++t) {
    for (std::uint64_t i = 0; i < pair_groups(g); ++i) {
      store_rows(run_.task, g + i, first_ + t, incomplete_[t][i]);
    }
  }
}

}  // namespace

void run_matmul(const MatmulTask& task, const KernelSet& kernels) {
  if (kernels.many != nullptr && task.tokens > kFewTokens && task.group_begin < task.group_end)
    return kernels.many(task);
  const Run run{task, kernels};
  const bool panels = kernels.unpack != nullptr;
  // What is left over of many tokens has no tables.
  const bool few_can = !kernels.tables || task.tokens <= kTableTokens;
  const std::uint64_t most_few = few_can ? kFewTokens : 0;
  for (std::uint64_t t = 0; t < task.tokens;) {
    const std::uint64_t left = task.tokens - t;
    std::uint64_t count = std::min<std::uint64_t>(left, kFewTokens);
    if (panels && left > most_few) {
      count = std::min<std::uint64_t>(left, kTokensAtOnce);
      PanelRun(run, t, count).run();
    } else if (kernels.all_groups[count - 1] != nullptr) {
      kernels.all_groups[count - 1](task, t);
    } else {
      run.few(t, count);
    }
    t += count;
  }
}

}  // namespace tophand::kernels::detail
