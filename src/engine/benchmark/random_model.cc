#include "engine/benchmark/random_model.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <string_view>
#include <vector>

#include "engine/benchmark/random_weights.h"
#include "gguf/writer.h"
#include "text/byte_alphabet.h"

namespace tophand::engine {
namespace {

using kernels::Encoding;

struct Part {
  std::string name;
  Encoding encoding = Encoding::kF32;
  std::uint64_t cols = 0, rows = 1;
  enum class Fill : std::uint8_t { kMatrix, kNorm, kBias } fill = Fill::kMatrix;
};

class Parts {
 public:
  explicit Parts(const ModelShape& shape) : shape_(shape) {
    const std::uint64_t d = shape.width;
    matrix("token_embd", shape.mix.embedding, d, shape.vocabulary);
    for (std::uint32_t i = 0; i < shape.layers; ++i) add_layer(i);
    norm("output_norm", d);
    if (shape.head == HeadKind::kOwn) matrix("output", shape.mix.head, d, shape.vocabulary);
  }
  std::vector<Part> take() && { return std::move(parts_); }

 private:
  void matrix(const std::string& name, Encoding encoding, std::uint64_t cols, std::uint64_t rows) {
    parts_.push_back({name + ".weight", encoding, cols, rows, Part::Fill::kMatrix});
  }
  void norm(const std::string& name, std::uint64_t n) {
    parts_.push_back({name + ".weight", Encoding::kF32, n, 1, Part::Fill::kNorm});
  }
  void bias(const std::string& name, std::uint64_t n) {
    parts_.push_back({name + ".bias", Encoding::kF32, n, 1, Part::Fill::kBias});
  }

  void add_layer(std::uint32_t i) {
    const std::uint64_t d = shape_.width, hd = shape_.head_size, ff = shape_.ffn_width;
    const std::uint64_t queries = shape_.heads * hd, keys = shape_.kv_heads * hd;
    const bool sub_norms = shape_.architecture == "bitnet-b1.58";
    const bool biases = shape_.architecture == "qwen2";
    const bool head_norms = shape_.architecture == "qwen3";
    const bool more = gets_more_bits(i, shape_.layers);
    const EncodingMix& mix = shape_.mix;
    const std::string layer = "blk." + std::to_string(i) + ".";
    norm(layer + "attn_norm", d);
    matrix(layer + "attn_q", mix.linear, d, queries);
    matrix(layer + "attn_k", mix.linear, d, keys);
    matrix(layer + "attn_v", more ? mix.value_more : mix.value, d, keys);
    if (biases) {
      bias(layer + "attn_q", queries);
      bias(layer + "attn_k", keys);
      bias(layer + "attn_v", keys);
    }
    if (head_norms) {
      norm(layer + "attn_q_norm", hd);
      norm(layer + "attn_k_norm", hd);
    }
    if (sub_norms) norm(layer + "attn_sub_norm", queries);
    matrix(layer + "attn_output", mix.linear, queries, d);
    norm(layer + "ffn_norm", d);
    matrix(layer + "ffn_gate", mix.linear, d, ff);
    matrix(layer + "ffn_up", mix.linear, d, ff);
    if (sub_norms) norm(layer + "ffn_sub_norm", ff);
    matrix(layer + "ffn_down", more ? mix.down_more : mix.down, ff, d);
  }

  const ModelShape& shape_;
  std::vector<Part> parts_;
};

void add_hyperparameters(const ModelShape& shape, gguf::Header& header) {
  const std::string prefix = std::string(shape.architecture) + ".";
  const auto count = [&](std::string_view key, std::uint32_t value) {
    header.add_u32(prefix + std::string(key), value);
  };
  header.add_string("general.architecture", shape.architecture);
  header.add_string("general.name", "random " + std::string(shape.name));
  count("vocab_size", shape.vocabulary);
  count("block_count", shape.layers);
  count("context_length", shape.context);
  count("embedding_length", shape.width);
  count("feed_forward_length", shape.ffn_width);
  count("attention.head_count", shape.heads);
  count("attention.head_count_kv", shape.kv_heads);
  count("attention.key_length", shape.head_size);
  count("attention.value_length", shape.head_size);
  count("rope.dimension_count", shape.head_size);
  header.add_f32(prefix + "rope.freq_base", shape.rope_base);
  header.add_f32(prefix + "attention.layer_norm_rms_epsilon", shape.norm_eps);
}

void add_vocabulary(const ModelShape& shape, gguf::Header& header) {
  constexpr std::int32_t kNormal = 1, kControl = 3;
  std::vector<std::string> tokens;
  tokens.reserve(shape.vocabulary);
  for (unsigned b = 0; b < 256; ++b)
    tokens.emplace_back(text::spell_byte(static_cast<std::uint8_t>(b)));
  while (tokens.size() + 1 < shape.vocabulary)
    tokens.push_back("filler" + std::to_string(tokens.size()));
  tokens.emplace_back("<|end|>");
  std::vector<std::int32_t> types(tokens.size(), kNormal);
  types.back() = kControl;
  header.add_string("tokenizer.ggml.model", "gpt2");
  header.add_string("tokenizer.ggml.pre", shape.pre_tokenizer);
  header.add_strings("tokenizer.ggml.tokens", tokens);
  header.add_i32s("tokenizer.ggml.token_type", types);
  header.add_strings("tokenizer.ggml.merges", std::array<std::string, 1>{"a b"});  // needs one
  header.add_u32("tokenizer.ggml.eos_token_id", shape.vocabulary - 1);
  header.add_bool("tokenizer.ggml.add_bos_token", false);
}

Result<gguf::Header> make_header(const ModelShape& shape, const std::vector<Part>& parts) {
  gguf::Header header;
  add_hyperparameters(shape, header);
  add_vocabulary(shape, header);
  for (const Part& part : parts)
    TOPHAND_CHECK(shape.name,
                  part.fill == Part::Fill::kMatrix
                      ? header.add_tensor(part.name, part.encoding, {part.cols, part.rows})
                      : header.add_tensor(part.name, part.encoding, {part.cols}));
  return header;
}

// Norm weights lie around 1, biases around 0.
Result<> write_vector(gguf::Writer& writer, const Part& part, SplitMix64& random) {
  std::vector<float> values(part.cols);
  for (float& value : values)
    value = (part.fill == Part::Fill::kNorm ? 1.0f : 0.0f) +
            0.1f * static_cast<float>(random.uniform() - 0.5);
  return writer.write(std::as_bytes(std::span(values)));
}

Result<> write_parts(gguf::Writer& writer, const gguf::Header& header,
                     const std::vector<Part>& parts, std::uint64_t seed,
                     const std::function<bool(double)>& keep_going) {
  SplitMix64 random(seed);
  double written = 0.0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Part& part = parts[i];
    TOPHAND_CHECK("random model",
                  part.fill == Part::Fill::kMatrix
                      ? write_random_tensor(writer, part.encoding, part.rows, part.cols, random)
                      : write_vector(writer, part, random));
    written += static_cast<double>(header.tensor_bytes(i));
    if (keep_going && !keep_going(written / static_cast<double>(header.file_bytes())))
      return fail(Code::kCancelled, "stopped");
  }
  return writer.finish();
}

}  // namespace

Result<std::uint64_t> random_model_bytes(const ModelShape& shape) {
  TOPHAND_TRY(header, "random model", make_header(shape, Parts(shape).take()));
  return header.file_bytes();
}

Result<> write_random_model(const std::string& path, const ModelShape& shape, std::uint64_t seed,
                            const std::function<bool(double)>& keep_going) {
  const std::vector<Part> parts = Parts(shape).take();
  TOPHAND_TRY(header, "random model", make_header(shape, parts));
  auto writer = gguf::Writer::create(path, header);
  auto done = writer ? write_parts(*writer, header, parts, seed, keep_going)
                     : Result<>(tl::unexpected(std::move(writer).error()));
  if (!done && done.error().code != Code::kConflict) (void)std::remove(path.c_str());
  return done;
}

Result<> write_random_model(int fd, const std::string& name, const ModelShape& shape,
                            std::uint64_t seed, const std::function<bool(double)>& keep_going) {
  const std::vector<Part> parts = Parts(shape).take();
  auto header = make_header(shape, parts);
  if (!header) {
    ::close(fd);
    return tl::unexpected(std::move(header).error());
  }
  TOPHAND_TRY(writer, "random model", gguf::Writer::take(fd, name, *header));
  return write_parts(writer, *header, parts, seed, keep_going);
}

}  // namespace tophand::engine
