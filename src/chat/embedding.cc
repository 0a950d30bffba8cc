#include "chat/embedding.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

#include "base/json.h"
#include "chat/ollama_duration.h"
#include "chat/request_parsers.h"
#include "chat/upstream_parts.h"

namespace tophand::chat {
namespace {

constexpr std::int64_t kDimensionsMax = 1 << 20;

Result<> add_input(const Field& item, std::string_view type_error, EmbeddingRequest& request) {
  if (!item.is_string()) return fail(Code::kInvalid, std::string(type_error));
  request.inputs.push_back(std::string(item.view().string()));
  return {};
}

Result<> parse_inputs(const Field& input, std::string_view type_error, EmbeddingRequest& request) {
  if (!input.is_array()) return add_input(input, type_error, request);
  if (input.size() > kEmbeddingInputsMax)
    return input.refused(std::to_string(input.size()) + " texts, at most " +
                         std::to_string(kEmbeddingInputsMax) + " in one request");
  for (std::size_t i = 0; i < input.size(); ++i)
    TOPHAND_FIELD_CHECK(add_input(input.at(i), type_error, request));
  return {};
}

Result<> parse_openai(const Field& root, EmbeddingRequest& request) {
  const Field input = root["input"];
  if (input.absent()) return input.expected("a string or an array of strings");
  TOPHAND_FIELD_CHECK(parse_inputs(
      input,
      "input: expected a string or an array of strings. Token numbers are of OpenAI's tokenizers "
      "and mean nothing to a local model: send the text (LangChain: "
      "check_embedding_ctx_length=False)",
      request));
  if (request.inputs.empty()) return input.refused("must not be empty");
  for (const std::string& text : request.inputs)
    if (text.empty()) return input.refused("must not hold an empty string");
  TOPHAND_FIELD(format, root["encoding_format"].string_or("float"));
  if (format != "float" && format != "base64")
    return root["encoding_format"].refused("expected \"float\" or \"base64\", found \"" + format +
                                           "\"");
  request.base64 = format == "base64";
  TOPHAND_FIELD(dimensions, root["dimensions"].integer_within(1, kDimensionsMax));
  request.dimensions = dimensions;
  return {};
}

Result<> parse_ollama(const Field& root, EmbeddingRequest& request) {
  const Field input = root["input"];
  if (!input.absent()) TOPHAND_FIELD_CHECK(parse_inputs(input, "invalid input type", request));
  // Ollama takes an empty string for nothing to embed; in an array it is a text as any other.
  if (input.is_string() && request.inputs.front().empty()) request.inputs.clear();
  TOPHAND_FIELD(truncate, root["truncate"].bool_or(true));
  request.excess = truncate ? EmbeddingRequest::Excess::kCut : EmbeddingRequest::Excess::kRefuse;
  TOPHAND_FIELD(dimensions, root["dimensions"].integer_within(0, kDimensionsMax));
  if (dimensions && *dimensions > 0) request.dimensions = dimensions;
  return {};
}

Result<> parse_ollama_embeddings(const Field& root, EmbeddingRequest& request) {
  TOPHAND_FIELD(prompt, root["prompt"].string_or(""));
  if (!prompt.empty()) request.inputs.push_back(std::move(prompt));
  request.excess = EmbeddingRequest::Excess::kCut;
  return {};
}

void make_unit(std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) sum += static_cast<double>(value) * static_cast<double>(value);
  if (sum == 0) return;
  const double scale = 1.0 / std::sqrt(sum);
  for (float& value : values) value = static_cast<float>(static_cast<double>(value) * scale);
}

// The shortest digits that read back as the same float32.
void append_number(float value, std::string& out) {
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out.append(digits.data(), end);
}

void append_vector(const std::vector<float>& values, std::string& out) {
  out += '[';
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out += ',';
    append_number(values[i], out);
  }
  out += ']';
}

// RFC 4648, 4.
std::string to_base64(std::string_view bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (k < have ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k)
      out += k <= have ? kDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

std::string little_endian_base64(const std::vector<float>& values) {
  std::string bytes;
  bytes.reserve(4 * values.size());
  for (const float value : values) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(bits >> shift & 0xff);
  }
  return to_base64(bytes);
}

std::string openai_answer(const EmbeddingRequest& request, const EmbeddingAnswer& answer) {
  std::string out = R"({"object":"list","data":[)";
  for (std::size_t i = 0; i < answer.items.size(); ++i) {
    if (i > 0) out += ',';
    out += R"({"object":"embedding","index":)" + std::to_string(i) + R"(,"embedding":)";
    if (request.base64) out += '"' + little_endian_base64(answer.items[i].values) + '"';
    else append_vector(answer.items[i].values, out);
    out += '}';
  }
  const std::string tokens = std::to_string(answer.input_tokens());
  return out + R"(],"model":)" + dump_json(Json(request.model)) + R"(,"usage":{"prompt_tokens":)" +
         tokens + R"(,"total_tokens":)" + tokens + "}}";
}

std::string ollama_answer(const EmbeddingRequest& request, const EmbeddingAnswer& answer) {
  std::string out = R"({"model":)" + dump_json(Json(request.model)) + R"(,"embeddings":[)";
  for (std::size_t i = 0; i < answer.items.size(); ++i) {
    if (i > 0) out += ',';
    append_vector(answer.items[i].values, out);
  }
  out += ']';
  if (answer.items.empty()) return out + '}';
  return out + R"(,"total_duration":)" + std::to_string(answer.timing.total_ns) +
         R"(,"load_duration":)" + std::to_string(answer.timing.load_ns) +
         R"(,"prompt_eval_count":)" + std::to_string(answer.input_tokens()) + '}';
}

Result<> parse_keep_alive_of(const Field& root, EmbeddingRequest& request) {
  Request parsed;
  TOPHAND_FIELD_CHECK(parse_keep_alive(root["keep_alive"], parsed));
  request.keep_alive_ms = parsed.keep_alive_ms;
  return {};
}

}  // namespace

std::int64_t EmbeddingAnswer::input_tokens() const {
  std::int64_t sum = 0;
  for (const Embedding& item : items) sum += item.input_tokens;
  return sum;
}

std::int64_t EmbeddingAnswer::truncated() const {
  return std::ranges::count_if(items, &Embedding::truncated);
}

Result<EmbeddingRequest> parse_embedding_request(EmbeddingDialect dialect, std::string_view body) {
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos)
    return fail(Code::kInvalid, "missing request body");
  // A text an element of one array: their number is bounded by the parser below, not by members.
  TOPHAND_FIELD(json, parse_json(body));
  if (!json.is_object())
    return fail(Code::kInvalid,
                "the request body is " + std::string(json_type(json)) + ": expected a JSON object");
  const Field root(json, PathStyle::kBrackets);
  EmbeddingRequest request;
  TOPHAND_FIELD(model, root["model"].string_or(""));
  if (model.empty())
    return dialect == EmbeddingDialect::kOpenAi ? root["model"].expected("a string")
                                                : fail(Code::kInvalid, "model is required");
  request.model = std::move(model);
  switch (dialect) {
    case EmbeddingDialect::kOpenAi:
      TOPHAND_FIELD_CHECK(parse_openai(root, request));
      break;
    case EmbeddingDialect::kOllama:
      TOPHAND_FIELD_CHECK(parse_ollama(root, request));
      break;
    case EmbeddingDialect::kOllamaEmbeddings:
      TOPHAND_FIELD_CHECK(parse_ollama_embeddings(root, request));
      break;
  }
  if (dialect != EmbeddingDialect::kOpenAi) TOPHAND_FIELD_CHECK(parse_keep_alive_of(root, request));
  Request own;
  parse_own_words(root, own);
  request.priority = own.priority;
  request.task_class = own.task_class;
  return request;
}

Result<> shape_embeddings(EmbeddingDialect dialect, const EmbeddingRequest& request,
                          EmbeddingAnswer& answer) {
  for (Embedding& item : answer.items) {
    if (dialect == EmbeddingDialect::kOllamaEmbeddings) continue;
    if (request.dimensions) {
      const auto wanted = static_cast<std::size_t>(*request.dimensions);
      if (wanted > item.values.size() && dialect == EmbeddingDialect::kOpenAi)
        return fail_field("dimensions", "this model has " + std::to_string(item.values.size()) +
                                            ", not " + std::to_string(wanted));
      item.values.resize(std::min(wanted, item.values.size()));
    }
    make_unit(item.values);
  }
  return {};
}

std::string write_embedding_answer(EmbeddingDialect dialect, const EmbeddingRequest& request,
                                   const EmbeddingAnswer& answer) {
  switch (dialect) {
    case EmbeddingDialect::kOpenAi:
      return openai_answer(request, answer);
    case EmbeddingDialect::kOllama:
      return ollama_answer(request, answer);
    case EmbeddingDialect::kOllamaEmbeddings:
      break;
  }
  std::string out = R"({"embedding":)";
  append_vector(answer.items.empty() ? std::vector<float>{} : answer.items.front().values, out);
  return out + '}';
}

std::string write_engine_embedding_request(const EmbeddingRequest& request) {
  Json out = Json::object();
  out["input"] = request.inputs;
  out["truncate"] = request.excess == EmbeddingRequest::Excess::kCut;
  return dump_json(out);
}

Result<EmbeddingRequest> read_engine_embedding_request(std::string_view body) {
  TOPHAND_FIELD(json, parse_json(body));
  const Field root(json, PathStyle::kBrackets);
  if (!root.is_object()) return root.expected("an object");
  EmbeddingRequest request;
  const Field input = root["input"];
  if (!input.is_array() || input.size() == 0) return input.expected("an array of strings");
  TOPHAND_FIELD_CHECK(parse_inputs(input, "input: expected an array of strings", request));
  TOPHAND_FIELD(truncate, root["truncate"].bool_or(false));
  request.excess = truncate ? EmbeddingRequest::Excess::kCut : EmbeddingRequest::Excess::kRefuse;
  return request;
}

std::string write_engine_embedding_event(const EmbeddingEvent& event) {
  if (const auto* item = std::get_if<Embedding>(&event)) {
    std::string out = R"({"embedding":)";
    append_vector(item->values, out);
    return out + R"(,"input_tokens":)" + std::to_string(item->input_tokens) + R"(,"truncated":)" +
           (item->truncated ? "true" : "false") + "}\n";
  }
  Json out = Json::object();
  if (const auto* failed = std::get_if<EmbeddingsFailed>(&event))
    out["failed"] = {{"code", info(failed->error.code).name}, {"message", failed->error.message}};
  else out["finished"] = {{"total_ns", std::get<EmbeddingsFinished>(event).timing.total_ns}};
  return dump_json(out) + '\n';
}

Result<EmbeddingEvent> read_engine_embedding_event(std::string_view line) {
  TOPHAND_TRY(json, "engine embedding", parse_json(line));
  if (const Json* failed = find_key(json, "failed")) {
    Code code = Code::kUpstream;
    for (const CodeInfo& known : kCodes)
      if (known.name == string_or(*failed, "code", "")) code = known.code;
    return EmbeddingEvent(
        EmbeddingsFailed{{code, std::string(string_or(*failed, "message", "the engine failed"))}});
  }
  if (const Json* finished = find_key(json, "finished"))
    return EmbeddingEvent(EmbeddingsFinished{
        {.total_ns = std::max<std::int64_t>(0, int_or(*finished, "total_ns", 0))}});
  const Json* values = find_key(json, "embedding");
  if (values == nullptr || !values->is_array())
    return fail(Code::kUpstream, "engine embedding: expected \"embedding\", an array");
  Embedding item;
  item.input_tokens = stated_tokens(json, "input_tokens", 0);
  item.truncated = bool_or(json, "truncated", false);
  item.values.reserve(values->size());
  for (const Json& value : *values) {
    const float number = value.is_number() ? static_cast<float>(value.get<double>()) : NAN;
    if (!std::isfinite(number))
      return fail(Code::kUpstream, "engine embedding: expected finite numbers");
    item.values.push_back(number);
  }
  return EmbeddingEvent(std::move(item));
}

}  // namespace tophand::chat
