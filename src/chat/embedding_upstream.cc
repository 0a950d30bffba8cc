#include "chat/embedding_upstream.h"

#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "chat/server_error.h"
#include "chat/upstream_parts.h"

namespace tophand::chat {
namespace {

constexpr std::size_t kDimensionsMax = 65'536;

// What cannot be read is the server's fault.
Result<Json> parse(std::string_view body) {
  auto json = parse_json(body);
  if (!json) return fail(Code::kUpstream, json.error().message);
  return json;
}

Result<std::vector<float>> read_vector(const Json& list) {
  if (!list.is_array() || list.empty() || list.size() > kDimensionsMax)
    return fail(Code::kUpstream, "embeddings: expected arrays of numbers");
  std::vector<float> values;
  values.reserve(list.size());
  for (const Json& value : list) {
    const float number = value.is_number() ? static_cast<float>(value.get<double>()) : NAN;
    if (!std::isfinite(number)) return fail(Code::kUpstream, "embeddings: expected finite numbers");
    values.push_back(number);
  }
  return values;
}

Result<> check(const EmbeddingAnswer& answer, std::size_t inputs) {
  const auto is_missing = [&](const Embedding& item) {
    return item.values.size() != answer.items.front().values.size();
  };
  if (answer.items.size() == inputs && std::ranges::none_of(answer.items, is_missing)) return {};
  return fail(Code::kUpstream, "embeddings: expected " + std::to_string(inputs) +
                                   " vectors of one length, found " +
                                   std::to_string(answer.items.size()));
}

}  // namespace

std::string write_ollama_embedding_ask(const EmbeddingRequest& request, std::string_view model,
                                       std::int64_t context_tokens) {
  Json out = Json::object();
  out["model"] = model;
  out["input"] = request.inputs;
  out["truncate"] = false;
  out["options"]["num_ctx"] = context_tokens;
  return dump_json(out);
}

std::string write_openai_embedding_ask(const EmbeddingRequest& request, std::string_view model) {
  Json out = Json::object();
  out["model"] = model;
  out["input"] = request.inputs;
  out["encoding_format"] = "float";
  return dump_json(out);
}

Result<EmbeddingAnswer> read_ollama_embeddings(std::string_view body, std::size_t inputs) {
  TOPHAND_TRY(json, "embeddings", parse(body));
  const Json* list = find_key(json, "embeddings");
  if (list == nullptr || !list->is_array() || list->size() != inputs)
    return fail(Code::kUpstream,
                "embeddings: expected an array of " + std::to_string(inputs) + " vectors");
  EmbeddingAnswer answer;
  for (const Json& item : *list) {
    auto values = read_vector(item);
    if (!values) return tl::unexpected(values.error());
    answer.items.push_back({.values = *std::move(values)});
  }
  TOPHAND_CHECK("Ollama", check(answer, inputs));
  if (!answer.items.empty())
    answer.items.front().input_tokens = stated_tokens(json, "prompt_eval_count", 0);
  answer.timing.total_ns = std::max<std::int64_t>(0, int_or(json, "total_duration", 0));
  answer.timing.load_ns = std::max<std::int64_t>(0, int_or(json, "load_duration", 0));
  return answer;
}

Result<EmbeddingAnswer> read_openai_embeddings(std::string_view body, std::size_t inputs) {
  TOPHAND_TRY(json, "embeddings", parse(body));
  if (tells_error(json))  // LM Studio, with a status of 200
    return tl::unexpected(read_server_error(0, body).error.within("embeddings"));
  const Json* list = find_key(json, "data");
  if (list == nullptr || !list->is_array() || list->size() != inputs)
    return fail(Code::kUpstream,
                "embeddings: expected \"data\", an array of " + std::to_string(inputs));
  EmbeddingAnswer answer;
  answer.items.resize(inputs);
  std::int64_t at = 0;
  for (const Json& item : *list) {
    const std::int64_t index = int_or(item, "index", at++);
    const Json* vector = find_key(item, "embedding");
    if (index < 0 || index >= static_cast<std::int64_t>(inputs) || vector == nullptr)
      return fail(Code::kUpstream, "embeddings: expected \"index\" and \"embedding\"");
    auto values = read_vector(*vector);
    if (!values) return tl::unexpected(values.error());
    answer.items[static_cast<std::size_t>(index)].values = *std::move(values);
  }
  TOPHAND_CHECK("embeddings", check(answer, inputs));
  if (const Json* usage = find_key(json, "usage"); usage != nullptr && !answer.items.empty())
    answer.items.front().input_tokens = stated_tokens(*usage, "prompt_tokens", 0);
  return answer;
}

}  // namespace tophand::chat
