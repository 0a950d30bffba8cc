// Splits text into the pieces that byte-pair merging works on, as the regular expressions of the
// models' tokenizers do, but written out as scanners: linear, no recursion, no regular expressions.
// The expressions stand in docs/formats/tokenizers.md. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tophand::text {

// kDbrx splits as kLlama3 does, but its tokenizers merge every piece and begin without BOS.
enum class PreTokenizer : std::uint8_t { kGpt2, kSmolLm, kLlama3, kDbrx, kQwen2, kQwen35 };

// By the name in `tokenizer.ggml.pre`; kInvalid with the list of known names otherwise.
Result<PreTokenizer> pre_tokenizer_by_name(std::string_view name);

// What a file without `tokenizer.ggml.pre` means, by its vocabulary: BitNet b1.58 files carry the
// 128,256 tokens of Llama 3 and leave the key out; for everything else it is "default".
std::string_view pre_tokenizer_when_absent(std::size_t vocabulary_size);

// The end of the piece that starts at `at` (< text.size()): greater than `at`, at most text.size().
// Bytes that are not UTF-8 count as U+FFFD each. Calling it until the end is linear in text.size().
std::size_t piece_end(PreTokenizer kind, std::string_view text, std::size_t at);

}  // namespace tophand::text
