#include "chat/server_error.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include "base/ascii.h"
#include "base/json.h"
#include "base/json_view.h"
#include "chat/status_code.h"
#include "chat/too_long.h"
#include "chat/upstream_parts.h"

namespace tophand::chat {
namespace {

constexpr std::size_t kMessageBytesMax = 1000;

struct Told {
  std::string message, type, code, param;
  int status = 0;  // where the body says one
};

std::string text_or_json(JsonView value) {
  if (value.is_string()) return std::string(value.string());
  return value.is_null() ? "" : dump_json(value.tree());
}

// What the words say of limits, where they came with no status: the SDKs' types and OpenAI's codes.
struct NamedStatus {
  std::string_view name;
  int status;
};
constexpr std::array kNamedStatus{
    NamedStatus{"rate_limit_error", 429},   NamedStatus{"rate_limit_exceeded", 429},
    NamedStatus{"insufficient_quota", 429}, NamedStatus{"too_many_requests", 429},
    NamedStatus{"overloaded_error", 529},   NamedStatus{"over_capacity", 503},
    NamedStatus{"server_overloaded", 503},  NamedStatus{"service_unavailable", 503},
};

// The status inside a body or an event: a number, or one in quotes; else by name. 0: none.
int status_told(JsonView from, const Told& told) {
  for (const std::string_view key : {"code", "status", "status_code"}) {
    std::int64_t status = int_or(from, key, 0);
    const std::string_view text = string_or(from, key, "");
    if (status == 0) std::from_chars(text.data(), text.data() + text.size(), status);
    if (status >= 400 && status < 600) return static_cast<int>(status);
  }
  for (const NamedStatus& known : kNamedStatus)
    if (known.name == told.type || known.name == told.code || known.name == told.message)
      return known.status;
  return 0;
}

Told told_by(JsonView told_body) {
  // Gemini's OpenAI API: a list of one.
  const JsonView body = told_body.is_array() ? *told_body.begin() : told_body;
  const JsonView error = body["error"];
  const JsonView from = error.is_object() ? error : body;
  Told told;
  told.message = error.is_string() ? std::string(error.string()) : string_member(from, "message");
  if (told.message.empty()) told.message = text_or_json(body["detail"]);  // FastAPI
  if (told.message.empty()) told.message = string_member(from, "type");
  told.type = string_member(from, "type");
  told.code = string_member(from, "code");
  told.param = string_member(from, "param");
  told.status = status_told(from, told);
  return told;
}

// llama-server and OpenAI have a type or code for it, others only words.
bool is_too_long(const Told& told) {
  constexpr std::array<std::string_view, 5> kWords{
      "maximum context length", "exceeds the context length", "available context size",
      "exceeds the available context", "exceeded max context length"};
  return told.type == "exceed_context_size_error" || told.code == "context_length_exceeded" ||
         told_prompt_size(told.message) || std::ranges::any_of(kWords, [&](std::string_view words) {
           return told.message.find(words) != std::string::npos;
         });
}

// Of what was not found. Others than OpenAI have no code for it: Ollama says "model 'x' not found".
bool is_about_model(const Told& told) {
  return told.code == "model_not_found" || lowered(told.message).find("model") != std::string::npos;
}

Code code_for(const Told& told, int status) {
  if (is_too_long(told)) return Code::kPromptTooLong;
  return code_of_status(status);
}

// Ollama says 400 where another model, or another machine's, may well do it.
About about_of(const Told& told, Code code) {
  const bool lacks = told.message.find("does not support") != std::string::npos;
  if (code == Code::kInvalid && lacks) return About::kAbility;
  return code == Code::kNotFound && is_about_model(told) ? About::kModel : About::kOther;
}

// Not a status in quotes.
bool is_word(std::string_view code) {
  return !code.empty() && (code.front() < '0' || code.front() > '9');
}

}  // namespace

Failed read_server_error(int status, std::string_view body) {
  const auto parsed = JsonDocument::parse(body);
  Told told = parsed ? told_by(parsed->root()) : Told{};
  if (status == 0) status = told.status != 0 ? told.status : 500;
  const Code code = code_for(told, status);
  if (told.message.empty())
    told.message = "answered with status " + std::to_string(status) + " and no readable error";
  if (told.message.size() > kMessageBytesMax) told.message.resize(kMessageBytesMax);
  const About about = about_of(told, code);
  if (code != Code::kInvalid || !is_word(told.code)) told.code.clear();
  return Failed{{code, std::move(told.message), about, std::move(told.param), std::move(told.code)},
                ""};
}

}  // namespace tophand::chat
