// What a model file says about itself, without loading it: for people and for the gateway, which
// parses no model files and has a process of this program do it.
#pragma once

#include <string>

#include "base/result.h"

namespace tophand::engine {

// kNone: arrays of more than five elements, vocabularies above all, are shown as empty ones.
enum class LongArrays : std::uint8_t { kNone, kWhole };

// One JSON object: architecture, parameters, quantization, context_trained, embedding_length,
// whether its chat template offers tools and thoughts and whether the file is made for embeddings,
// "metadata" (every key) and "tensors" (name, type, shape). kNotFound, kIo, kInvalid: no GGUF file.
Result<std::string> inspect_file(const std::string& path, LongArrays arrays);

}  // namespace tophand::engine
