// Published models' shapes and encodings, without their weights: enough to make a file that costs
// exactly the same work.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"
#include "kernels/encoding.h"

namespace tophand::engine {

// Encodings by the matrix's part. "More bits" are given to the layers that llama.cpp's *_M mixes
// favour: the first and last eighth and every third between (llama-quant.cpp, use_more_bits).
struct EncodingMix {
  kernels::Encoding linear;             // q, k, output, gate, up
  kernels::Encoding value, value_more;  // v
  kernels::Encoding down, down_more;    // the FFN's second matrix
  kernels::Encoding embedding, head;
};

enum class HeadKind : std::uint8_t { kTied, kOwn };  // tied: the embedding is the output matrix

struct ModelShape {
  std::string_view name;          // what `tophand bench --shape` calls it
  std::string_view architecture;  // of the GGUF
  std::string_view pre_tokenizer;
  std::uint32_t width, layers, ffn_width, heads, kv_heads, head_size, vocabulary, context;
  float rope_base, norm_eps;
  HeadKind head;
  EncodingMix mix;
};

std::span<const ModelShape> model_shapes();

// kInvalid, listing the names, when there is none of that name.
Result<ModelShape> find_model_shape(std::string_view name);

// The same shape with every matrix of the layers in `type`, and the embedding and head too where
// the published model has them all alike. `head`, if not empty, is the output matrix's (with a tied
// head also the embedding's). kInvalid for unknown names and for types whose blocks do not divide
// the rows.
Result<ModelShape> with_encodings(ModelShape shape, std::string_view type, std::string_view head);

bool gets_more_bits(std::uint32_t layer, std::uint32_t layers);

}  // namespace tophand::engine
