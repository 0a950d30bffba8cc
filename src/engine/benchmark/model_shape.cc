#include "engine/benchmark/model_shape.h"

#include <string>

namespace tophand::engine {
namespace {

using kernels::Encoding;

constexpr EncodingMix all_alike(Encoding e) {
  return {e, e, e, e, e, e, e};
}
constexpr EncodingMix ternary_body(Encoding body, Encoding head) {
  return {body, body, body, body, body, head, head};
}

// Sizes from the models' config.json and the headers of their GGUF files. Llama-3-8B-1.58 and the
// BitNet have their embedding and head in F16 as published; Q6_K is what the comparisons with other
// engines use.
constexpr ModelShape kShapes[] = {
    {.name = "bitnet-2b",
     .architecture = "bitnet-b1.58",
     .pre_tokenizer = "llama-bpe",
     .width = 2560,
     .layers = 30,
     .ffn_width = 6912,
     .heads = 20,
     .kv_heads = 5,
     .head_size = 128,
     .vocabulary = 128'256,
     .context = 4'096,
     .rope_base = 5e5f,
     .norm_eps = 1e-5f,
     .head = HeadKind::kTied,
     .mix = ternary_body(Encoding::kI2_S, Encoding::kQ6_K)},
    {.name = "llama3-8b",
     .architecture = "llama",
     .pre_tokenizer = "llama-bpe",
     .width = 4096,
     .layers = 32,
     .ffn_width = 14'336,
     .heads = 32,
     .kv_heads = 8,
     .head_size = 128,
     .vocabulary = 128'256,
     .context = 8'192,
     .rope_base = 5e5f,
     .norm_eps = 1e-5f,
     .head = HeadKind::kOwn,
     .mix = ternary_body(Encoding::kI2_S, Encoding::kQ6_K)},
    // Ternary-Bonsai, every matrix in PQ2_0. The 8B's files stretch 16,384 positions by YaRN, which
    // changes numbers but no work.
    {.name = "bonsai-1.7b",
     .architecture = "qwen3",
     .pre_tokenizer = "qwen2",
     .width = 2048,
     .layers = 28,
     .ffn_width = 6144,
     .heads = 16,
     .kv_heads = 8,
     .head_size = 128,
     .vocabulary = 151'936,
     .context = 32'768,
     .rope_base = 1e6f,
     .norm_eps = 1e-6f,
     .head = HeadKind::kTied,
     .mix = all_alike(Encoding::kPQ2_0)},
    {.name = "bonsai-8b",
     .architecture = "qwen3",
     .pre_tokenizer = "qwen2",
     .width = 4096,
     .layers = 36,
     .ffn_width = 12'288,
     .heads = 32,
     .kv_heads = 8,
     .head_size = 128,
     .vocabulary = 151'936,
     .context = 16'384,
     .rope_base = 1e6f,
     .norm_eps = 1e-6f,
     .head = HeadKind::kOwn,
     .mix = all_alike(Encoding::kPQ2_0)},
    {.name = "qwen2.5-coder-1.5b",
     .architecture = "qwen2",
     .pre_tokenizer = "qwen2",
     .width = 1536,
     .layers = 28,
     .ffn_width = 8960,
     .heads = 12,
     .kv_heads = 2,
     .head_size = 128,
     .vocabulary = 151'936,
     .context = 32'768,
     .rope_base = 1e6f,
     .norm_eps = 1e-6f,
     .head = HeadKind::kOwn,
     .mix = {Encoding::kQ4_K, Encoding::kQ4_K, Encoding::kQ6_K, Encoding::kQ4_K, Encoding::kQ6_K,
             Encoding::kQ4_K, Encoding::kQ6_K}},
    {.name = "qwen2.5-coder-0.5b",
     .architecture = "qwen2",
     .pre_tokenizer = "qwen2",
     .width = 896,
     .layers = 24,
     .ffn_width = 4864,
     .heads = 14,
     .kv_heads = 2,
     .head_size = 64,
     .vocabulary = 151'936,
     .context = 32'768,
     .rope_base = 1e6f,
     .norm_eps = 1e-6f,
     .head = HeadKind::kOwn,
     .mix = {Encoding::kQ5_0, Encoding::kQ5_0, Encoding::kQ8_0, Encoding::kQ4_K, Encoding::kQ6_K,
             Encoding::kQ5_0, Encoding::kQ8_0}},
};

bool is_uniform(const EncodingMix& mix) {
  return mix.linear == mix.embedding && mix.linear == mix.head;
}

Result<Encoding> encoding_by_name(std::string_view name) {
  std::string known;
  for (std::uint32_t id = 0; id < 256; ++id) {  // every id that GGUF files use is below
    const kernels::EncodingInfo* info = kernels::encoding_from_ggml_type(id);
    if (info == nullptr) continue;
    if (info->name == name) return info->encoding;
    known += (known.empty() ? "" : ", ") + std::string(info->name);
  }
  return fail(Code::kInvalid, "unknown type '" + std::string(name) + "'; known are " + known);
}

Result<> check_rows(const ModelShape& shape) {
  const auto check = [&](Encoding encoding, std::uint64_t cols) -> Result<> {
    if (kernels::tensor_bytes(encoding, 16, cols) > 0) return {};
    const kernels::EncodingInfo& info = kernels::encoding_info(encoding);
    return fail(Code::kInvalid, "rows of " + std::to_string(cols) + " weights do not divide by " +
                                    std::string(info.name) + "'s blocks of " +
                                    std::to_string(info.block_weights));
  };
  const std::uint64_t queries = std::uint64_t{shape.heads} * shape.head_size;
  for (const Encoding encoding : {shape.mix.linear, shape.mix.value, shape.mix.value_more,
                                  shape.mix.embedding, shape.mix.head})
    TOPHAND_CHECK(shape.name, check(encoding, shape.width));
  TOPHAND_CHECK(shape.name, check(shape.mix.linear, queries));
  for (const Encoding encoding : {shape.mix.down, shape.mix.down_more})
    TOPHAND_CHECK(shape.name, check(encoding, shape.ffn_width));
  return {};
}

}  // namespace

std::span<const ModelShape> model_shapes() {
  return kShapes;
}

Result<ModelShape> find_model_shape(std::string_view name) {
  std::string known;
  for (const ModelShape& shape : kShapes) {
    if (shape.name == name) return shape;
    known += (known.empty() ? "" : ", ") + std::string(shape.name);
  }
  return fail(Code::kInvalid, "there is no shape '" + std::string(name) + "'; there are " + known);
}

Result<ModelShape> with_encodings(ModelShape shape, std::string_view type, std::string_view head) {
  EncodingMix& mix = shape.mix;
  if (!type.empty()) {
    TOPHAND_TRY(encoding, "--type", encoding_by_name(type));
    mix = is_uniform(mix) ? all_alike(encoding)
                          : EncodingMix{encoding, encoding,      encoding, encoding,
                                        encoding, mix.embedding, mix.head};
  }
  if (!head.empty()) {
    TOPHAND_TRY(encoding, "--head", encoding_by_name(head));
    mix.head = encoding;
    if (shape.head == HeadKind::kTied) mix.embedding = encoding;
  }
  if (auto done = check_rows(shape); !done) return tl::unexpected(std::move(done).error());
  return shape;
}

bool gets_more_bits(std::uint32_t layer, std::uint32_t layers) {
  const std::uint32_t eighth = layers / 8;
  return layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2;
}

}  // namespace tophand::engine
