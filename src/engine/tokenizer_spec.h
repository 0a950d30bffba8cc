// What a GGUF file says about its tokenizer, for text::Tokenizer::create.
#pragma once

#include "base/result.h"
#include "gguf/file.h"
#include "text/tokenizer.h"

namespace tophand::engine {

// kInvalid when there is no tokenizer, or its parts contradict each other or `vocabulary` (rows of
// the embedding).
Result<text::TokenizerSpec> read_tokenizer_spec(const gguf::File& file, std::uint64_t vocabulary);

}  // namespace tophand::engine
