#include "engine/lane.h"

#include <algorithm>
#include <cmath>

#include "base/assert.h"
#include "kernels/attention_tile.h"
#include "kernels/delta_net.h"
#include "kernels/encoding.h"
#include "kernels/matmul.h"

namespace tophand::engine {
namespace {

using kernels::ActivationForm;

// Index into the quantised buffers; float matrices read the input as it is.
std::size_t form_slot(ActivationForm form) {
  return static_cast<std::size_t>(std::ranges::find(kQuantisedForms, form) - kQuantisedForms);
}

constexpr std::uint32_t kFloatBit = 1u << std::size(kQuantisedForms);

// What to share a product out in that both take part in. Tiles of tokens only where both want them:
// few tokens, as a last tile may have, can take another form of activations than many.
kernels::PartSize common(const kernels::PartSize& one, const kernels::PartSize& other) {
  return one == other ? one : kernels::kPanelPart;
}

}  // namespace

void Lane::embed(const EmbeddingTable& table, const Fold* fold,
                 std::span<const std::int32_t> tokens) {
  const std::uint64_t d = shape_.width;
  const Range mine = my(chunk_.tokens);
  for (std::uint64_t t = mine.begin; t < mine.end; ++t) {
    auto* raw = reinterpret_cast<std::byte*>(scratch_.input + t * d);  // not in use yet
    table.read(static_cast<std::uint64_t>(tokens[t]), raw, scratch_.stream + t * d);
    if (fold != nullptr) unfold(*fold, scratch_.stream + t * d);
    if (shape_.embedding_scale != 1.0f)
      for (std::uint64_t i = 0; i < d; ++i) scratch_.stream[t * d + i] *= shape_.embedding_scale;
    const Place place = chunk_.place(t);
    const RopeTable& rope = *place.rope;
    const auto position = static_cast<double>(place.position);
    const std::uint64_t pairs = rope.frequencies.size();
    for (std::uint64_t i = 0; i < pairs; ++i) {
      const double angle = position * rope.frequencies[i];
      scratch_.cosines[t * pairs + i] = static_cast<float>(std::cos(angle) * rope.magnitude);
      scratch_.sines[t * pairs + i] = static_cast<float>(std::sin(angle) * rope.magnitude);
    }
  }
  pool_.barrier();
}

void Lane::take(const float* source, std::uint64_t width) {
  input_ = {.rows = source, .width = width};
}

void Lane::normalise(const float* source, const std::vector<float>& weight) {
  input_ = {.rows = source, .width = weight.size(), .norm = &weight};
}

void Lane::take_gated(const float* source, const float* gates, std::uint64_t width) {
  input_ = {.rows = source, .width = width, .gates = gates};
}

void Lane::fold(const Linear& linear) {
  if (linear.fold == nullptr) return;
  TOPHAND_ASSERT(linear.fold->signs.size() == input_.width && input_.fold == nullptr);
  input_.fold = linear.fold;
}

// A token's row of the input; made at `out` where it is not there as it is.
const float* Lane::prepare_row(std::uint64_t t, float* out) {
  const std::uint64_t n = input_.width;
  const float* row = input_.rows + t * n;
  if (input_.ready()) return row;
  if (input_.norm != nullptr) {
    kernels::rms_norm(isa_, row, input_.norm->data(), shape_.norm_eps, n, out);
    row = out;
  }
  if (input_.gates != nullptr) {
    kernels::sigmoid_mul(isa_, input_.gates + t * n, row, n, out);
    row = out;
  }
  if (input_.fold != nullptr) {
    for (std::uint64_t i = 0; i < n; ++i) out[i] = row[i] * input_.fold->signs[i];
    kernels::hadamard(isa_, out, n, input_.fold->block);
  }
  return out;
}

// One token at a time: a row is still in the first-level cache when it is quantised, and where
// nothing else reads it, it stays there: all rows go through one buffer of the lane.
void Lane::prepare_input(std::uint32_t forms) {
  const bool keep = one_token() || (forms & kFloatBit) != 0;
  float* const rows = keep && !one_token() ? scratch_.input : own().input;
  const auto prepare = [&](std::uint64_t t) {
    const float* row = prepare_row(t, keep ? rows + t * input_.width : rows);
    for (std::size_t slot = 0; slot < std::size(kQuantisedForms); ++slot) {
      if ((forms & (1u << slot)) == 0) continue;
      std::byte* out = one_token() ? own().quantised[slot] : scratch_.quantised[slot];
      kernels::quantize_activations(isa_, kQuantisedForms[slot], row - t * input_.width,
                                    input_.width, t, t + 1, out);
    }
  };
  if (one_token()) {
    prepare(0);
  } else {
    constexpr std::uint64_t kMost = 8;
    pool_.share(chunk_.tokens, 1, kMost, [&](Range part) {
      for (std::uint64_t t = part.begin; t < part.end; ++t) prepare(t);
    });
    pool_.barrier();
  }
  // What follows may read the same input again.
  if (keep && !input_.ready()) take(rows, input_.width);
}

std::uint32_t Lane::form_bit(const Linear& linear) const {
  const ActivationForm form = kernels::activation_form(isa_, linear.w.source, chunk_.tokens);
  return form == ActivationForm::kFloat32 ? kFloatBit : 1u << form_slot(form);
}

const std::byte* Lane::activations_for(const Linear& linear, std::uint64_t token) {
  const ActivationForm form = kernels::activation_form(isa_, linear.w.source, chunk_.tokens);
  const std::size_t before = kernels::activation_bytes(form, token, input_.width);
  if (form == ActivationForm::kFloat32)
    return reinterpret_cast<const std::byte*>(input_.rows) + before;
  const std::size_t slot = form_slot(form);
  return (one_token() ? own().quantised[slot] : scratch_.quantised[slot]) + before;
}

kernels::PartSize Lane::part_size(const Linear& linear) const {
  return kernels::part_size(isa_, linear.w.source);
}

template <typename Step>
void Lane::for_parts(std::uint64_t groups, const kernels::PartSize& most, const Step& step) {
  const std::uint64_t tokens = chunk_.tokens, tile = most.tile_tokens;
  if (tokens <= kFewTokens || tile == 0 || tokens < tile) {
    // Whole pairs of groups for panels, whole fours for the streams of single tokens.
    const bool few = tokens <= kFewTokens;
    pool_.share(groups, few ? 4 : kernels::kPanelPart.least_groups,
                few ? groups : kernels::kPanelPart.groups,
                [&](Range part) { step({part, {0, tokens}}); });
  } else {
    // Tiles of tokens, with all rows or a range of them: enough parts for lanes to end together.
    const std::uint64_t tiles = (tokens + tile - 1) / tile;
    const std::uint64_t wanted = (2 * static_cast<std::uint64_t>(pool_.size()) + tiles - 1) / tiles;
    const std::uint64_t fewest = (groups + most.groups - 1) / most.groups;
    const std::uint64_t ranges =
        std::max(fewest, std::min(wanted, std::max<std::uint64_t>(1, groups / most.least_groups)));
    pool_.share(ranges * tiles, 1, most.tokens / tile, [&](Range part) {
      while (!part.empty()) {
        const std::uint64_t range = part.begin / tiles, first = part.begin - range * tiles;
        const std::uint64_t end = std::min(tiles, first + part.end - part.begin);
        step({share_of(groups, static_cast<int>(range), static_cast<int>(ranges)),
              {first * tile, std::min(tokens, end * tile)}});
        part.begin += end - first;
      }
    });
  }
  pool_.barrier();
}

void Lane::multiply(const Linear& linear, Part part, float* out, std::uint64_t stride) {
  if (part.groups.empty()) return;
  const kernels::PackedMatrix w =
      kernels::rows_of_groups(linear.w, part.groups.begin, part.groups.end);
  const std::uint64_t tokens = part.tokens.size();
  kernels::matmul(isa_, w, activations_for(linear, part.tokens.begin), tokens, 0,
                  kernels::group_count(w.rows), out, stride);
  for (std::uint64_t t = 0; t < tokens; ++t) {
    float* row = out + t * stride;
    if (linear.scale != 1.0f)
      for (std::uint64_t i = 0; i < w.rows; ++i) row[i] *= linear.scale;
    if (!linear.bias.empty())
      kernels::add(isa_, linear.bias.data() + part.groups.begin * kernels::kRowsPerGroup, w.rows,
                   row);
  }
}

void Lane::project(std::initializer_list<Product> products) {
  std::uint32_t forms = 0;
  std::uint64_t groups = 0;
  kernels::PartSize most = part_size(products.begin()->linear);
  for (const Product& product : products) {
    TOPHAND_ASSERT(product.linear.w.cols == input_.width);
    most = common(most, part_size(product.linear));
    forms |= form_bit(product.linear);
    groups += kernels::group_count(product.linear.w.rows);
  }
  prepare_input(forms);
  // The groups of all matrices are shared out as one list.
  for_parts(groups, most, [&](Part part) {
    const Range mine = part.groups;
    std::uint64_t first = 0;
    for (const Product& product : products) {
      const std::uint64_t n = kernels::group_count(product.linear.w.rows);
      const std::uint64_t begin = std::clamp(mine.begin, first, first + n) - first;
      const std::uint64_t end = std::clamp(mine.end, first, first + n) - first;
      const std::uint64_t rows = product.linear.w.rows;
      multiply(product.linear, {{begin, end}, part.tokens},
               product.out + part.tokens.begin * rows + begin * kernels::kRowsPerGroup, rows);
      first += n;
    }
  });
}

void Lane::add(const Linear& linear) {
  TOPHAND_ASSERT(linear.w.cols == input_.width && linear.w.rows == shape_.width);
  prepare_input(form_bit(linear));
  const std::uint64_t d = shape_.width;
  for_parts(kernels::group_count(d), part_size(linear), [&](Part part) {
    const std::uint64_t begin = part.groups.begin * kernels::kRowsPerGroup;
    const std::uint64_t n = std::min(d, part.groups.end * kernels::kRowsPerGroup) - begin;
    const float* from = own().products[0];
    multiply(linear, part, own().products[0], n);
    for (std::uint64_t t = part.tokens.begin; t < part.tokens.end; ++t, from += n)
      kernels::add(isa_, from, n, scratch_.stream + t * d + begin);
  });
}

void Lane::gated(const Linear& gate, const Linear& up, Activation activation) {
  TOPHAND_ASSERT(gate.w.cols == input_.width && up.w.cols == input_.width);
  prepare_input(form_bit(gate) | form_bit(up));
  const std::uint64_t ff = shape_.ffn_width;
  const auto act = activation == Activation::kSilu ? kernels::silu_mul : kernels::relu2_mul;
  // A lane has the same rows of both, so it can go on without waiting.
  for_parts(kernels::group_count(ff), common(part_size(gate), part_size(up)), [&](Part part) {
    const std::uint64_t begin = part.groups.begin * kernels::kRowsPerGroup;
    const std::uint64_t n = std::min(ff, part.groups.end * kernels::kRowsPerGroup) - begin;
    multiply(gate, part, own().products[0], n);
    multiply(up, part, own().products[1], n);
    for (std::uint64_t i = 0; i < part.tokens.size(); ++i)
      act(isa_, own().products[0] + i * n, own().products[1] + i * n, n,
          scratch_.hidden + (part.tokens.begin + i) * ff + begin);
  });
}

void Lane::rotate_and_store(std::uint64_t layer, kernels::RopePairing pairing, HeadNorms norms) {
  const std::uint64_t hd = shape_.head_size;
  const std::uint64_t rotated = shape_.rope.rotated;
  const auto rotate = [&](float* head, std::uint64_t token, const std::vector<float>& norm) {
    if (!norm.empty()) kernels::rms_norm(isa_, head, norm.data(), shape_.norm_eps, hd, head);
    const std::uint64_t at = token * rotated / 2;
    kernels::rope(isa_, pairing, scratch_.cosines + at, scratch_.sines + at, rotated, head);
  };
  // One item is a KV head of a token, or a query head of it.
  const std::uint64_t items = shape_.kv_heads + shape_.heads;
  const Range mine = my(chunk_.tokens * items);
  for (std::uint64_t i = mine.begin; i < mine.end; ++i) {
    const std::uint64_t t = i / items;
    const std::uint64_t item = i % items;
    if (item >= shape_.kv_heads) {
      rotate(scratch_.queries + t * shape_.query_width() + (item - shape_.kv_heads) * hd, t,
             norms.query);
      continue;
    }
    float* key = scratch_.keys + t * shape_.kv_width() + item * hd;
    rotate(key, t, norms.key);
    const Place place = chunk_.place(t);
    const KvCache& cache = *place.cache;
    const std::uint64_t row =
        ((layer * shape_.kv_heads + item) * cache.positions + place.position) * hd;
    kernels::float_to_half_row(isa_, key, hd, cache.keys + row);
    kernels::float_to_half_row(isa_, scratch_.values + t * shape_.kv_width() + item * hd, hd,
                               cache.values + row);
  }
  pool_.barrier();
}

void Lane::attend(std::uint64_t layer) {
  if (chunk_.run_tokens() > 1) {
    attend_tiles(layer);
  } else {
    attend_tokens(layer);
  }
  pool_.barrier();
}

// One item is some neighbouring tokens of one KV head. Later tokens look at more positions and come
// first. How tokens are cut does not depend on the lanes, and so neither do the sums.
void Lane::attend_tiles(std::uint64_t layer) {
  const std::uint64_t hd = shape_.head_size;
  const std::uint64_t group = shape_.heads / shape_.kv_heads;  // query heads a KV head
  const std::uint64_t tokens = std::max<std::uint64_t>(1, kernels::kTileQueries / group);
  const std::uint64_t tiles = (chunk_.tokens + tokens - 1) / tokens;
  const std::uint64_t items = tiles * shape_.kv_heads;
  const KvCache& cache = *chunk_.first.cache;
  pool_.share(items, 1, 2, [&](Range part) {
    for (std::uint64_t i = part.begin; i < part.end; ++i) {
      const std::uint64_t t = (tiles - 1 - i / shape_.kv_heads) * tokens;
      const std::uint64_t kv_head = i % shape_.kv_heads;
      const std::uint64_t rows = (layer * shape_.kv_heads + kv_head) * cache.positions * hd;
      const std::uint64_t at = t * shape_.query_width() + kv_head * group * hd;
      kernels::attention_tile(isa_, {.q = scratch_.queries + at,
                                     .out = scratch_.attended + at,
                                     .tokens = std::min(tokens, chunk_.tokens - t),
                                     .heads = group,
                                     .stride = shape_.query_width(),
                                     .k = cache.keys + rows,
                                     .v = cache.values + rows,
                                     .hd = hd,
                                     .end = chunk_.first.position + t + 1,
                                     .window = shape_.sliding_window,
                                     .scale = shape_.attention_scale,
                                     .scores = own().scores});
    }
  });
}

// Items are query heads of tokens; those of one KV head are taken together, so that its keys and
// values are read once, and split only where a single token has fewer KV heads than would keep the
// lanes even.
void Lane::attend_tokens(std::uint64_t layer) {
  const std::uint64_t hd = shape_.head_size;
  const std::uint64_t group = shape_.heads / shape_.kv_heads;
  const std::uint64_t items = chunk_.tokens * shape_.heads, least = one_token() ? 1 : group;
  pool_.share(items, least, 8 * group, [&](Range part) {
    while (!part.empty()) {
      const std::uint64_t t = part.begin / shape_.heads;
      const std::uint64_t head = part.begin % shape_.heads, kv_head = head / group;
      const std::uint64_t n = std::min(part.end - part.begin, (kv_head + 1) * group - head);
      const Place place = chunk_.place(t);
      const KvCache& cache = *place.cache;
      const std::uint64_t rows = (layer * shape_.kv_heads + kv_head) * cache.positions * hd;
      const std::uint64_t at = t * shape_.query_width() + head * hd;
      kernels::attention_tile(isa_, {.q = scratch_.queries + at,
                                     .out = scratch_.attended + at,
                                     .tokens = 1,
                                     .heads = n,
                                     .stride = shape_.query_width(),
                                     .k = cache.keys + rows,
                                     .v = cache.values + rows,
                                     .hd = hd,
                                     .end = place.position + 1,
                                     .window = shape_.sliding_window,
                                     .scale = shape_.attention_scale,
                                     .scores = own().scores});
      part.begin += n;
    }
  });
}

}  // namespace tophand::engine
