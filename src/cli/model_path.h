// What people type for a model: a path to a GGUF file, or a name from their model folder.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "config/config.h"
#include "engine/model.h"

namespace tophand::cli {

// A path when `model` has a slash, ends in ".gguf" or names a file that is there; else the
// installed model of that name. kNotFound with what is installed and how to get it.
Result<std::string> find_model_file(std::string_view model);

// How the gateway has its worker load `path` with these settings (the memory limit left out).
engine::LoadOptions load_options(const std::string& path, const config::EngineConfig& engine);

}  // namespace tophand::cli
