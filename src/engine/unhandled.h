// What a file asks for and the forward pass does not do. A tensor that nobody multiplies with, or a
// key that nobody reads, would load without a word and give answers that are quietly wrong, so the
// file is refused by its name instead.
#pragma once

#include <string>

#include "base/result.h"
#include "engine/hyperparameters.h"
#include "engine/weights.h"
#include "gguf/file.h"

namespace tophand::engine {

// kInvalid, naming the key, where metadata that changes the computation has a value that this
// engine does not honour.
Result<> check_keys(const gguf::File& file, const std::string& architecture);

// kInvalid, naming the tensor, where one has not been declared. Call after all have been.
Result<> check_tensors(const gguf::File& file, const Hyperparameters& shape,
                       const WeightLoader& declared);

}  // namespace tophand::engine
