#include "kernels/matmul_driver.h"

#include <algorithm>
#include <cstring>

namespace tophand::kernels::detail {
namespace {

struct Run {
  const MatmulTask& task;
  const KernelSet& kernels;
  ActivationForm form = activation_form(task.w.source);
  std::uint64_t stride = group_bytes(task.w.source, task.w.cols);

  const std::byte* group(std::uint64_t g) const { return task.w.data + g * stride; }

  TokenView token(std::uint64_t t) const {
    return token_view(task.activations, form, task.w.cols, t);
  }
  const float* floats(std::uint64_t t) const {
    return reinterpret_cast<const float*>(task.activations) + t * task.w.cols;
  }
  void store(const GroupSums& sums, std::uint64_t g, std::uint64_t t) const {
    const std::uint64_t first = g * kRowsPerGroup;
    const std::uint64_t rows = std::min(kRowsPerGroup, task.w.rows - first);
    std::memcpy(task.out + t * task.out_stride + first, sums.row, rows * sizeof(float));
  }

  void one_token() const;
  void some_tokens(std::uint64_t first, std::uint64_t count) const;
  void with_panels(std::uint64_t group_first, std::size_t groups, std::uint64_t first,
                   std::uint64_t count, GroupSums* sums) const;
  void without_panels(std::uint64_t group_first, std::size_t groups, std::uint64_t first,
                      std::uint64_t count, GroupSums* sums) const;
  void panel_extras(std::size_t groups, std::uint64_t first, std::uint64_t count,
                    const Panel& panel, std::uint64_t block, std::uint64_t blocks,
                    std::uint32_t* next, GroupSums* sums) const;
  void tiles(std::uint64_t group_first, std::size_t groups, std::uint64_t first,
             std::uint64_t count, const Panel* panel, std::uint64_t block, std::uint64_t blocks,
             GroupSums* sums) const;
};

void Run::one_token() const {
  GemvPiece piece{};
  piece.cols = task.w.cols;
  piece.tensor_scale = task.w.tensor_scale;
  if (form == ActivationForm::kFloat32) {
    piece.x = floats(0);
  } else {
    piece.token = token(0);
  }
  const std::uint64_t groups = task.group_end - task.group_begin;
  const std::uint64_t apart = std::max<std::uint64_t>(1, (groups + kStreams - 1) / kStreams);
  for (std::uint64_t i = 0; i < apart; ++i) {
    std::size_t count = 0;
    while (count < kStreams && i + count * apart < groups) {
      piece.groups[count] = group(task.group_begin + i + count * apart);
      ++count;
    }
    GroupSums sums[kStreams];
    kernels.gemv[count - 1](piece, sums);
    for (std::size_t s = 0; s < count; ++s) store(sums[s], task.group_begin + i + s * apart, 0);
  }
}

// All tiles of `count` tokens, of nearly equal size, for one panel.
void Run::tiles(std::uint64_t group_first, std::size_t groups, std::uint64_t first,
                std::uint64_t count, const Panel* panel, std::uint64_t block, std::uint64_t blocks,
                GroupSums* sums) const {
  TilePiece piece{};
  piece.panel = panel;
  piece.blocks = blocks;
  piece.cols = task.w.cols;
  for (std::size_t g = 0; g < groups; ++g) piece.groups[g] = group(group_first + g);
  std::uint64_t pieces = (count + kernels.tile_tokens - 1) / kernels.tile_tokens;
  for (std::uint64_t done = 0; done < count; --pieces) {
    const std::uint64_t tokens = (count - done + pieces - 1) / pieces;
    for (std::uint64_t t = 0; t < tokens; ++t) {
      if (form == ActivationForm::kFloat32) {
        piece.x[t] = floats(first + done + t);
      } else {
        const TokenView view = token(first + done + t);
        piece.tokens[t] = view.blocks + block;
        piece.factors[t] = view.header->token_scale * task.w.tensor_scale;
      }
    }
    piece.sums = sums + done * kPanelGroups;
    kernels.tile[groups - 1][tokens - 1](piece);
    done += tokens;
  }
}

// The residual blocks of every token that fall into the panel. next[t]: the first not yet added;
// they are in order of their blocks.
void Run::panel_extras(std::size_t groups, std::uint64_t first, std::uint64_t count,
                       const Panel& panel, std::uint64_t block, std::uint64_t blocks,
                       std::uint32_t* next, GroupSums* sums) const {
  TilePiece piece{};
  piece.panel = &panel;
  piece.blocks = 1;
  for (std::uint64_t t = 0; t < count; ++t) {
    const TokenView view = token(first + t);
    piece.sums = sums + t * kPanelGroups;
    for (; next[t] < view.header->extra_count; ++next[t]) {
      const ActivationBlock& extra = view.extra[next[t]];
      if (extra.block >= block + blocks) break;
      piece.panel_first = extra.block - block;
      piece.tokens[0] = &extra;
      kernels.tile[groups - 1][0](piece);
    }
  }
}

void Run::with_panels(std::uint64_t group_first, std::size_t groups, std::uint64_t first,
                      std::uint64_t count, GroupSums* sums) const {
  Panel panel;
  std::uint32_t next[kTokensAtOnce] = {};
  const std::uint64_t all = task.w.cols / kBlockCols;
  std::memset(sums, 0, count * kPanelGroups * sizeof(GroupSums));
  for (std::uint64_t b = 0; b < all; b += kPanelBlocks) {
    const std::uint64_t n = std::min<std::uint64_t>(kPanelBlocks, all - b);
    for (std::size_t i = 0; i < groups; ++i) kernels.unpack(group(group_first + i), b, n, i, panel);
    tiles(group_first, groups, first, count, &panel, b, n, sums);
    panel_extras(groups, first, count, panel, b, n, next, sums);
  }
}

// Whole rows at a time, then the residual blocks straight from the packed weights.
void Run::without_panels(std::uint64_t group_first, std::size_t groups, std::uint64_t first,
                         std::uint64_t count, GroupSums* sums) const {
  tiles(group_first, groups, first, count, nullptr, 0, task.w.cols / kBlockCols, sums);
  if (form != ActivationForm::kInt8Block32) return;
  for (std::uint64_t t = 0; t < count; ++t) {
    const TokenView view = token(first + t);
    for (std::uint32_t e = 0; e < view.header->extra_count; ++e) {
      for (std::size_t i = 0; i < groups; ++i) {
        kernels.add_block(group(group_first + i), view.extra[e], sums[t * kPanelGroups + i]);
      }
    }
  }
}

void Run::some_tokens(std::uint64_t first, std::uint64_t count) const {
  GroupSums sums[kTokensAtOnce * kPanelGroups];
  for (std::uint64_t g = task.group_begin; g < task.group_end; g += kPanelGroups) {
    const auto groups =
        static_cast<std::size_t>(std::min<std::uint64_t>(kPanelGroups, task.group_end - g));
    if (kernels.unpack == nullptr) {
      without_panels(g, groups, first, count, sums);
    } else {
      with_panels(g, groups, first, count, sums);
    }
    for (std::uint64_t t = 0; t < count; ++t) {
      for (std::size_t i = 0; i < groups; ++i) store(sums[t * kPanelGroups + i], g + i, first + t);
    }
  }
}

}  // namespace

void run_matmul(const MatmulTask& task, const KernelSet& kernels) {
  const Run run{task, kernels};
  if (task.tokens == 1) return run.one_token();
  for (std::uint64_t t = 0; t < task.tokens; t += kTokensAtOnce) {
    run.some_tokens(t, std::min<std::uint64_t>(kTokensAtOnce, task.tokens - t));
  }
}

}  // namespace tophand::kernels::detail
