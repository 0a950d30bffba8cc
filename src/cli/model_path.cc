#include "cli/model_path.h"

#include <filesystem>

#include "config/config.h"
#include "models/store.h"

namespace tophand::cli {
namespace {

bool is_path(std::string_view model) {
  std::error_code ignored;
  return model.find('/') != std::string_view::npos || model.ends_with(".gguf") ||
         std::filesystem::is_regular_file(std::filesystem::path(model), ignored);
}

struct Found {
  models::InstalledModel model;
  config::Config config;
};

Result<Found> find_installed(std::string_view model) {
  const config::Environment env = config::process_environment();
  const config::Paths paths = config::find_paths(env, "", "");
  TOPHAND_TRY(settings, "read configuration", config::load_config(paths, env));
  const std::string dir =
      settings.models.dir.empty() ? paths.data_dir + "/models" : settings.models.dir;
  auto found = models::Store(dir).find(model);
  if (!found) return tl::unexpected(std::move(found).error());
  return Found{*std::move(found), std::move(settings)};
}

void force_names(const std::string& model, const config::ModelsConfig& models,
                 engine::LoadOptions& options) {
  if (const auto named = models.templates.find(model); named != models.templates.end())
    options.chat_template = named->second;
  if (const auto named = models.pre_tokenizers.find(model); named != models.pre_tokenizers.end())
    options.pre_tokenizer = named->second;
}

}  // namespace

Result<std::string> find_model_file(std::string_view model) {
  auto found = find_model(model);
  if (!found) return tl::unexpected(std::move(found).error());
  return found->path;
}

Result<engine::LoadOptions> find_model(std::string_view model) {
  engine::LoadOptions options;
  if (is_path(model)) {
    options.path = model;
    return options;
  }
  auto found = find_installed(model);
  if (!found) return tl::unexpected(std::move(found).error());
  options.path = found->model.path;
  force_names(found->model.name, found->config.models, options);
  return options;
}

engine::LoadOptions load_options(const models::InstalledModel& model,
                                 const config::Config& config) {
  engine::LoadOptions options{.path = model.path,
                              .threads = static_cast<int>(config.engine.threads),
                              .context_tokens = config.engine.context_tokens,
                              .kernel = config.engine.kernel,
                              .context_bounded = true};
  force_names(model.name, config.models, options);
  return options;
}

}  // namespace tophand::cli
