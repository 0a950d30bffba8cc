#include "engine/vocabulary.h"

#include "engine/tokenizer_spec.h"
#include "gguf/file.h"

namespace tophand::engine {

Result<std::unique_ptr<text::Tokenizer>> load_tokenizer(const std::string& path,
                                                        std::string_view pre_tokenizer) {
  auto file = gguf::File::open(path);
  if (!file) return tl::unexpected(std::move(file).error());
  const gguf::Tensor* embedding = file->find_tensor("token_embd.weight");
  // Files that hold nothing but a vocabulary have no embedding to compare with.
  std::uint64_t vocabulary = embedding != nullptr ? embedding->rows() : 0;
  if (const gguf::Value* tokens = file->find("tokenizer.ggml.tokens");
      embedding == nullptr && tokens != nullptr)
    vocabulary = tokens->count();
  auto spec = read_tokenizer_spec(*file, vocabulary);
  if (!spec) return tl::unexpected(std::move(spec).error());
  if (!pre_tokenizer.empty()) spec->pre = std::string(pre_tokenizer);
  return text::Tokenizer::create(std::move(*spec));
}

}  // namespace tophand::engine
