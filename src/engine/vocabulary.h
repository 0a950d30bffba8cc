// A model file's tokenizer without its weights: for tools that only count or print tokens.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "text/tokenizer.h"

namespace tophand::engine {

// pre_tokenizer: taken instead of the file's unless it is "". Errors as Model::load's.
Result<std::unique_ptr<text::Tokenizer>> load_tokenizer(const std::string& path,
                                                        std::string_view pre_tokenizer = "");

}  // namespace tophand::engine
