#include "engine/memory_need.h"

#include <bit>

#include "engine/memory.h"

namespace tophand::engine {
namespace {

// What text/tokenizer.cc keeps of a token: its string, a hash node with the C library's header and
// rounding, a bucket, its type. Of a merge: 16 bytes in a table that is at most half full.
constexpr std::int64_t kTokenBytes = 32 + 48 + 8 + 4;
constexpr std::uint64_t kMergeSlotBytes = 16;
constexpr std::size_t kShortStringBytes = 15;  // longer ones are allocated apart

}  // namespace

std::int64_t tokenizer_bytes(const gguf::File& file) {
  const gguf::Value* list = file.find("tokenizer.ggml.tokens");
  const auto tokens = list != nullptr ? list->strings() : std::nullopt;
  std::int64_t bytes = 0;
  if (tokens) {
    bytes = static_cast<std::int64_t>(tokens->size()) * kTokenBytes;
    for (const std::string_view token : *tokens)
      if (token.size() > kShortStringBytes)
        bytes += static_cast<std::int64_t>((token.size() + 1 + 8 + 15) / 16 * 16);
  }
  const gguf::Value* merges = file.find("tokenizer.ggml.merges");
  if (merges != nullptr && merges->count() > 0)
    bytes += static_cast<std::int64_t>(std::bit_ceil(2 * merges->count()) * kMergeSlotBytes);
  return bytes;
}

std::string describe(const MemoryNeed& need, std::int64_t context_tokens) {
  return "weights " + human_bytes(need.weights + need.vectors) + ", a context of " +
         std::to_string(context_tokens) + " tokens " + human_bytes(need.cache) + ", activations " +
         human_bytes(need.scratch) + ", tokenizer " + human_bytes(need.tokenizer);
}

}  // namespace tophand::engine
