#include "chat/model_list.h"

#include "base/json.h"
#include "chat/answer_json.h"

namespace tophand::chat {
namespace {

constexpr std::int64_t kMsPerSecond = 1000;

Json openai_model(const ListedModel& model) {
  Json out = Json::object();
  out["id"] = model.id;
  out["object"] = "model";
  out["created"] = model.created_ms / kMsPerSecond;
  out["owned_by"] = model.owned_by;
  return out;
}

Json anthropic_model(const ListedModel& model) {
  Json out = Json::object();
  out["type"] = "model";
  out["id"] = model.id;
  out["display_name"] = model.display_name.empty() ? model.id : model.display_name;
  out["created_at"] = rfc3339(model.created_ms, TimePrecision::kSeconds);
  return out;
}

Json ollama_model(const ListedModel& model) {
  Json details = Json::object();
  details["parent_model"] = "";
  details["format"] = "gguf";
  details["family"] = model.family;
  details["families"] = Json::array({model.family});
  details["parameter_size"] = model.parameter_size;
  details["quantization_level"] = model.quantization;
  if (model.context_tokens > 0) details["context_length"] = model.context_tokens;
  Json out = Json::object();
  out["name"] = model.id;
  out["model"] = model.id;
  out["modified_at"] = rfc3339(model.created_ms, TimePrecision::kNanoseconds);
  out["size"] = model.size_bytes;
  out["digest"] = model.digest;
  out["details"] = std::move(details);
  if (!model.capabilities.empty()) out["capabilities"] = model.capabilities;
  return out;
}

Json model_json(ModelListStyle style, const ListedModel& model) {
  switch (style) {
    case ModelListStyle::kOpenAi:
      return openai_model(model);
    case ModelListStyle::kAnthropic:
      return anthropic_model(model);
    case ModelListStyle::kOllamaTags:
      break;
  }
  return ollama_model(model);
}

}  // namespace

std::string write_model_list(ModelListStyle style, const std::vector<ListedModel>& models) {
  Json list = Json::array();
  for (const ListedModel& model : models) list.push_back(model_json(style, model));
  Json out = Json::object();
  switch (style) {
    case ModelListStyle::kOpenAi:
      out["object"] = "list";
      out["data"] = std::move(list);
      break;
    case ModelListStyle::kAnthropic:
      out["data"] = std::move(list);
      out["has_more"] = false;
      out["first_id"] = models.empty() ? Json(nullptr) : Json(models.front().id);
      out["last_id"] = models.empty() ? Json(nullptr) : Json(models.back().id);
      break;
    case ModelListStyle::kOllamaTags:
      out["models"] = std::move(list);
      break;
  }
  return dump_json(out);
}

std::string write_model(ModelListStyle style, const ListedModel& model) {
  return dump_json(model_json(style, model));
}

std::string write_ollama_version(std::string_view version) {
  Json out = Json::object();
  out["version"] = version;
  return dump_json(out);
}

std::string write_token_count(std::int64_t input_tokens) {
  Json out = Json::object();
  out["input_tokens"] = input_tokens;
  return dump_json(out);
}

}  // namespace tophand::chat
