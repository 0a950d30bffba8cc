#include <algorithm>

#include "engine/lane.h"
#include "kernels/matmul.h"

namespace tophand::engine {
namespace {

// Hands out 64-byte aligned pieces of a buffer; with no buffer it only counts.
class Carver {
 public:
  explicit Carver(std::byte* base) : base_(base) {}

  std::byte* take(std::size_t bytes) {
    std::byte* out = base_ == nullptr ? nullptr : base_ + used_;
    used_ += (bytes + 63) & ~std::size_t{63};
    return out;
  }
  float* floats(std::uint64_t rows, std::uint64_t cols) {
    return reinterpret_cast<float*>(take(rows * cols * sizeof(float)));
  }
  std::size_t used() const { return used_; }

 private:
  std::byte* base_;
  std::size_t used_ = 0;
};

// What a lane's part of a product takes: many tokens of a few rows, or few tokens of any (what
// Lane::for_parts hands out).
std::uint64_t product_floats(const Hyperparameters& shape) {
  const std::uint64_t rows = std::max(shape.width, shape.ffn_width);
  const auto floats = [rows](std::uint64_t tokens, std::uint64_t groups) {
    return tokens * std::min(rows, groups * kernels::kRowsPerGroup);
  };
  return std::max({floats(kChunkTokens, kernels::kPanelPart.groups),
                   floats(kernels::kTablePart.tokens, kernels::kTablePart.groups),
                   kFewTokens * rows});
}

// Hyper-parameters are bounded, so none of these products can overflow.
std::size_t carve(Scratch& out, std::byte* base, const Hyperparameters& shape,
                  std::uint64_t positions, int lanes) {
  Carver from(base);
  const std::uint64_t widest =
      std::max({shape.width, shape.query_width(), shape.ffn_width, shape.delta.inner()});
  out.stream = from.floats(kChunkTokens, shape.width);
  out.input = from.floats(kChunkTokens, widest);
  out.queries = from.floats(kChunkTokens, shape.query_width());
  out.keys = from.floats(kChunkTokens, shape.kv_width());
  out.values = from.floats(kChunkTokens, shape.kv_width());
  out.attended = from.floats(kChunkTokens, std::max(shape.query_width(), shape.delta.inner()));
  if (shape.delta.value_heads > 0) {
    const DeltaNetShape& net = shape.delta;
    out.mixed = from.floats(kChunkTokens, std::max(net.channels(), 2 * shape.query_width()));
    out.convolved = from.floats(kChunkTokens, net.channels());
    out.gates = from.floats(kChunkTokens, std::max(net.inner(), shape.query_width()));
    out.alpha = from.floats(kChunkTokens, net.value_heads);
    out.beta = from.floats(kChunkTokens, net.value_heads);
  }
  out.hidden = from.floats(kChunkTokens, shape.ffn_width);
  out.cosines = from.floats(kChunkTokens, shape.rope.rotated / 2);
  out.sines = from.floats(kChunkTokens, shape.rope.rotated / 2);
  for (std::size_t i = 0; i < std::size(kQuantisedForms); ++i) {
    const kernels::ActivationForm form = kQuantisedForms[i];
    out.quantised[i] = from.take(kernels::activation_bytes(form, most_tokens(form), widest));
  }
  out.own.resize(static_cast<std::size_t>(lanes));
  for (Scratch::Own& own : out.own) {
    own.input = from.floats(1, widest);
    for (float*& products : own.products) products = from.floats(1, product_floats(shape));
    for (std::size_t i = 0; i < std::size(kQuantisedForms); ++i)
      own.quantised[i] = from.take(kernels::activation_bytes(kQuantisedForms[i], 1, widest));
    own.scores = from.floats(shape.heads, positions);
    if (shape.delta.value_heads > 0) {
      own.decays = from.floats(1, kChunkTokens);
      own.betas = from.floats(1, kChunkTokens);
      own.dots = from.floats(1, kChunkTokens);
    }
  }
  return from.used();
}

}  // namespace

std::size_t cache_bytes(const Hyperparameters& shape, std::uint64_t positions) {
  return 2 * shape.attention_layers() * shape.kv_width() * positions * sizeof(std::uint16_t);
}

std::size_t Scratch::bytes(const Hyperparameters& shape, std::uint64_t positions, int lanes) {
  Scratch only_counted;
  return carve(only_counted, nullptr, shape, positions, lanes);
}

Result<Scratch> Scratch::allocate(const Hyperparameters& shape, std::uint64_t positions,
                                  int lanes) {
  auto buffer = PageBuffer::allocate(bytes(shape, positions, lanes));
  if (!buffer) return tl::unexpected(std::move(buffer).error());
  Scratch out;
  carve(out, buffer->data(), shape, positions, lanes);
  out.buffer_ = std::move(*buffer);
  return out;
}

}  // namespace tophand::engine
