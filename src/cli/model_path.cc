#include "cli/model_path.h"

#include <filesystem>

#include "config/config.h"
#include "models/store.h"

namespace tophand::cli {

Result<std::string> find_model_file(std::string_view model) {
  std::error_code ignored;
  if (model.find('/') != std::string_view::npos || model.ends_with(".gguf") ||
      std::filesystem::is_regular_file(std::filesystem::path(model), ignored))
    return std::string(model);
  const config::Environment env = config::process_environment();
  const config::Paths paths = config::find_paths(env, "", "");
  TOPHAND_TRY(settings, "read configuration", config::load_config(paths, env));
  const std::string dir =
      settings.models.dir.empty() ? paths.data_dir + "/models" : settings.models.dir;
  auto found = models::Store(dir).find(model);
  if (!found) return tl::unexpected(std::move(found).error());
  return found->path;
}

engine::LoadOptions load_options(const std::string& path, const config::EngineConfig& engine) {
  return {.path = path,
          .threads = static_cast<int>(engine.threads),
          .context_tokens = engine.context_tokens,
          .kernel = engine.kernel,
          .context_bounded = true};
}

}  // namespace tophand::cli
