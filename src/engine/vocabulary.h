// A model file's tokenizer without its weights: for tools that only count or print tokens.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "text/tokenizer.h"

namespace tophand::engine {

// Errors as Model::load's.
Result<std::unique_ptr<text::Tokenizer>> load_tokenizer(const std::string& path);

}  // namespace tophand::engine
