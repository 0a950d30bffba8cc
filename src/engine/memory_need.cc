#include "engine/memory_need.h"

#include <algorithm>
#include <bit>

#include "engine/lane.h"
#include "engine/memory.h"

namespace tophand::engine {
namespace {

// What text/tokenizer.cc keeps of a token: its string, a hash node with the C library's header and
// rounding, a bucket, its type. Of a merge: 16 bytes in a table that is at most half full.
constexpr std::int64_t kTokenBytes = 32 + 48 + 8 + 4;
constexpr std::uint64_t kMergeSlotBytes = 16;
constexpr std::size_t kShortStringBytes = 15;  // longer ones are allocated apart

// A page fault on a mapped file maps this much around it when the file is in the page cache (Linux:
// fault_around_bytes, 64 KiB since 3.15).
constexpr std::int64_t kFaultAroundBytes = 65'536;

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

// Sessions give the embedding's pages back every kChunkTokens tokens.
std::int64_t file_bytes_resident(const gguf::File& file) {
  const gguf::Tensor* embedding = file.find_tensor("token_embd.weight");
  if (embedding == nullptr) return 0;
  return std::min(static_cast<std::int64_t>(embedding->data.size()),
                  static_cast<std::int64_t>(kChunkTokens) * kFaultAroundBytes);
}

std::string describe(const MemoryNeed& need, std::int64_t context_tokens) {
  return "weights " + human_bytes(need.weights + need.vectors) + ", a context of " +
         std::to_string(context_tokens) + " tokens " + human_bytes(need.cache) + ", activations " +
         human_bytes(need.scratch) + ", tokenizer " + human_bytes(need.tokenizer) +
         ", pages of the file " + human_bytes(need.file);
}

}  // namespace tophand::engine
