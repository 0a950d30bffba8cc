// What people type for a model: a path to a GGUF file, or a name from their model folder.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "config/config.h"
#include "engine/model.h"
#include "models/store.h"

namespace tophand::cli {

// A path when `model` has a slash, ends in ".gguf" or names a file that is there; else the
// installed model of that name. kNotFound with what is installed and how to get it.
Result<std::string> find_model_file(std::string_view model);

// The same, and what the configuration says of the model: its chat template and pre-tokenizer.
Result<engine::LoadOptions> find_model(std::string_view model);

// How the gateway has its worker load an installed model (the memory limit left out).
engine::LoadOptions load_options(const models::InstalledModel& model, const config::Config& config);

}  // namespace tophand::cli
