// What OpenAI-compatible servers say about themselves.
#include <algorithm>
#include <array>

#include "backend/openai_backend.h"
#include "base/json.h"

namespace tophand::backend {
namespace {

constexpr std::size_t kModelsMax = 2000;

const Json& member(const Json& object, std::string_view key) {
  static const Json kNothing;
  const Json* found = find_key(object, key);
  return found == nullptr ? kNothing : *found;
}

// No two servers call it the same: vLLM, OpenRouter, Groq.
std::int64_t context_of(const Json& model) {
  for (const std::string_view key : {"max_model_len", "context_length", "context_window"})
    if (const std::int64_t tokens = int_or(model, key, 0); tokens > 0) return tokens;
  return 0;
}

bool takes_images(const Json& model) {
  const Json& inputs = member(member(model, "architecture"), "input_modalities");
  return inputs.is_array() && std::ranges::find(inputs, Json("image")) != inputs.end();
}

std::vector<ModelInfo> read_models(const Json& list) {
  std::vector<ModelInfo> models;
  const Json& data = member(list, "data");
  if (!data.is_array()) return models;
  for (const Json& item : data) {
    const std::string id(string_or(item, "id", ""));
    if (id.empty() || models.size() == kModelsMax) continue;
    models.push_back(
        {.name = id, .context_tokens = context_of(item), .takes_images = takes_images(item)});
  }
  return models;
}

// GET /props of llama-server: about the one model that it was started with.
void add_props(const Json& props, ModelInfo& model) {
  model.context_tokens = int_or(member(props, "default_generation_settings"), "n_ctx", 0);
  model.takes_images = bool_or(member(props, "modalities"), "vision", false);
}

}  // namespace

Result<std::vector<ModelInfo>> OpenAiBackend::list_models(const net::Cancellation& stop) const {
  if (kind_.models == OpenAiKind::Models::kLoaded) {
    const auto info = door_.ask("/v1/internal/model/info", "", stop);
    const std::string name(info ? string_or(*info, "model_name", "") : "");
    if (name == "None")
      return fail(Code::kUnavailable, door_.name() + ": no model is loaded there");
    if (!name.empty()) return std::vector<ModelInfo>{{.name = name}};
  }
  TOPHAND_TRY(list, "models", door_.ask(door_.api_root() + "/models", "", stop));
  if (is_tophand() && member(list, "data").is_array())
    std::erase_if(list["data"].get_ref<Json::array_t&>(),
                  [](const Json& item) { return string_or(item, "owned_by", "") != "local"; });
  std::vector<ModelInfo> models = read_models(list);
  if (kind_.models == OpenAiKind::Models::kLlamaServer && models.size() == 1)
    if (const auto props = door_.ask("/props", "", stop)) add_props(*props, models.front());
  return models;
}

Result<Probed> OpenAiBackend::probe(const net::Cancellation& stop) {
  if (!kind_.health.empty())
    TOPHAND_CHECK(door_.name(), door_.ask_text(std::string(kind_.health), "", stop));
  Probed probed;
  auto models = list_models(stop);
  if (models) {
    probed.models = std::move(*models);
    const std::lock_guard lock(mutex_);
    contexts_.clear();
    for (const ModelInfo& model : probed.models)
      if (model.context_tokens > 0) contexts_[model.name] = model.context_tokens;
  }
  // Some gateways have no list; what is configured can be asked for all the same.
  else if (models.error().code != Code::kNotFound)
    return tl::unexpected(models.error());
  return probed;
}

}  // namespace tophand::backend
