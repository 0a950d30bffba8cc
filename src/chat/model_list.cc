#include "chat/model_list.h"

#include <algorithm>

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
  out["lifecycle"] = "active";  // the SDKs' type has no model without it
  if (!model.description.empty()) out["description"] = model.description;
  if (model.context_tokens > 0) out["max_input_tokens"] = model.context_tokens;
  return out;
}

Json ollama_model(const ListedModel& model) {
  Json details = Json::object();
  details["parent_model"] = model.parent;
  details["format"] = "gguf";
  details["family"] = model.family;
  details["families"] = Json::array({model.family});
  details["parameter_size"] = model.parameter_size;
  details["quantization_level"] = model.quantization;
  if (model.context_tokens > 0) details["context_length"] = model.context_tokens;
  if (model.embedding_length > 0) details["embedding_length"] = model.embedding_length;
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
      return write_model_page(models, {}).value();  // without a cursor none is unknown
    case ModelListStyle::kOllamaTags:
      out["models"] = std::move(list);
      break;
  }
  return dump_json(out);
}

Result<std::string> write_model_page(std::vector<ListedModel> models, const ModelPage& page) {
  const auto place = [&models](const std::string& id) {
    return std::ranges::find(models, id, &ListedModel::id);
  };
  // A client that pages with a cursor that has gone would begin again, and perhaps for ever.
  for (const auto& [field, id] :
       {std::pair{"before_id", page.before_id}, std::pair{"after_id", page.after_id}})
    if (!id.empty() && place(id) == models.end())
      return fail_field(field, "there is no model '" + id + "'");
  if (!page.before_id.empty()) models.erase(place(page.before_id), models.end());
  if (!page.after_id.empty()) {
    const auto after = place(page.after_id);  // behind the other cursor there is nothing
    models.erase(models.begin(), after == models.end() ? after : after + 1);
  }
  const auto limit = static_cast<std::size_t>(
      std::clamp<std::int64_t>(page.limit.value_or(INT64_MAX), 1, INT64_MAX));
  const bool has_more = models.size() > limit;
  if (has_more) {
    const auto part = static_cast<std::ptrdiff_t>(limit);
    // The page before a cursor is what stands right in front of it.
    if (page.before_id.empty()) models.erase(models.begin() + part, models.end());
    else models.erase(models.begin(), models.end() - part);
  }
  Json out = Json::object();
  out["data"] = Json::array();
  for (const ListedModel& model : models) out["data"].push_back(anthropic_model(model));
  out["has_more"] = has_more;
  out["first_id"] = models.empty() ? Json(nullptr) : Json(models.front().id);
  out["last_id"] = models.empty() ? Json(nullptr) : Json(models.back().id);
  return dump_json(out);
}

std::string write_model(ModelListStyle style, const ListedModel& model) {
  return dump_json(model_json(style, model));
}

std::string ollama_time(std::int64_t unix_ms) {
  return rfc3339(unix_ms, TimePrecision::kNanoseconds);
}

std::string write_ollama_version(std::string_view version) {
  Json out = Json::object();
  out["version"] = version;
  return dump_json(out);
}

std::string write_token_count(Dialect dialect, std::int64_t input_tokens) {
  Json out = Json::object();
  if (dialect == Dialect::kOpenAiResponses) out["object"] = "response.input_tokens";
  out["input_tokens"] = input_tokens;
  return dump_json(out);
}

}  // namespace tophand::chat
