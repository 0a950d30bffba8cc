// The small random models of tests/reference/data/random_models.json: tests only. Defined in
// random_models_test.cc.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace tophand::engine {

// Each has name, metadata, tensors, ids, positions and logits.
const nlohmann::ordered_json& random_models();

// The bytes of the GGUF file that is described.
std::string file_of(const nlohmann::ordered_json& description);

}  // namespace tophand::engine
