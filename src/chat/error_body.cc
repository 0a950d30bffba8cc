// Error bodies of the dialects.
#include "base/ascii.h"
#include "base/json.h"
#include "chat/answer_json.h"
#include "chat/request_parsers.h"
#include "chat/too_long.h"

namespace tophand::chat {
namespace {

constexpr std::size_t kMessageBytesMax = 4'000;  // whatever was quoted in it

std::string_view anthropic_type(Code code) {
  switch (code) {
    case Code::kInvalid:
    case Code::kPromptTooLong:
      return "invalid_request_error";
    case Code::kUnauthorized:
      return "authentication_error";
    case Code::kForbidden:
      return "permission_error";
    case Code::kNotFound:
      return "not_found_error";
    case Code::kConflict:
      return "conflict_error";
    case Code::kTooLarge:
      return "request_too_large";
    case Code::kBudget:
      return "billing_error";
    case Code::kExhausted:
      return "rate_limit_error";
    case Code::kUnavailable:
      return "overloaded_error";
    case Code::kDeadline:
      return "timeout_error";
    default:
      return "api_error";
  }
}

struct OpenAiError {
  std::string_view type;
  std::string_view code;  // "" is null
};

std::string_view not_found_code(About what) {
  if (what == About::kModel) return "model_not_found";
  const bool is_stored = what == About::kStoredResponse || what == About::kStoredItem;
  return is_stored ? "" : "not_found";  // as OpenAI tells it
}

OpenAiError openai_error(const Error& error) {
  switch (error.code) {
    case Code::kInvalid:
      if (!error.word.empty()) return {"invalid_request_error", error.word};
      [[fallthrough]];
    case Code::kConflict:
      return {"invalid_request_error",
              error.about == About::kPreviousResponse ? "previous_response_not_found" : ""};
    case Code::kUnauthorized:
      return {"invalid_request_error", "invalid_api_key"};
    case Code::kForbidden:
      return {"invalid_request_error", "permission_denied"};
    case Code::kNotFound:
      return {"invalid_request_error", not_found_code(error.about)};
    case Code::kTooLarge:
      return {"invalid_request_error", "request_too_large"};
    case Code::kPromptTooLong:
      return {"invalid_request_error", "context_length_exceeded"};
    case Code::kBudget:
      return {"insufficient_quota", "insufficient_quota"};
    case Code::kExhausted:
      return {"rate_limit_error", "rate_limit_exceeded"};
    default:
      return {"server_error", ""};
  }
}

Json or_null(std::string_view text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

}  // namespace

// Clients shorten a conversation and try again when they read the words their provider uses, and
// take the numbers from them: Claude Code from Claude's, Crush from OpenAI's. What was said in
// other words stands behind.
std::string client_message(Dialect dialect, const Error& error) {
  if (error.code != Code::kPromptTooLong) return error.message;
  const auto size = told_prompt_size(error.message);
  const auto has = [&](std::string_view words) {
    return error.message.find(words) != std::string::npos;
  };
  switch (dialect) {
    case Dialect::kAnthropicMessages:
      if (has("prompt is too long")) break;
      if (!size) return "prompt is too long: " + error.message;
      return "prompt is too long: " + std::to_string(size->tokens) + " tokens > " +
             std::to_string(size->max) + " maximum (" + error.message + ")";
    case Dialect::kOpenAiChat:
    case Dialect::kOpenAiResponses:
    case Dialect::kOpenAiCompletions:
      if (has("maximum context length")) break;
      if (!size) return error.message + ", this model's maximum context length";
      return "This model's maximum context length is " + std::to_string(size->max) +
             " tokens. However, your messages resulted in " + std::to_string(size->tokens) +
             " tokens (" + error.message + ").";
    case Dialect::kOllamaChat:
    case Dialect::kOllamaGenerate:
      return "the input length exceeds the context length: " + error.message;
  }
  return error.message;
}

std::string_view responses_error_type(const Error& error) {
  return openai_error(error).type;
}

std::string_view responses_error_code(const Error& error) {
  const std::string_view code = openai_error(error).code;
  if (!code.empty()) return code;
  return error.code == Code::kInvalid ? "invalid_prompt" : "server_error";
}

Error unknown_model(Dialect dialect, std::string_view model) {
  const std::string name(model);
  switch (dialect) {
    case Dialect::kAnthropicMessages:
      return {Code::kNotFound, "model: " + name, About::kModel};
    case Dialect::kOpenAiChat:
    case Dialect::kOpenAiResponses:
    case Dialect::kOpenAiCompletions:
      return {Code::kNotFound,
              "The model `" + name + "` does not exist or you do not have access to it.",
              About::kModel};
    case Dialect::kOllamaChat:
    case Dialect::kOllamaGenerate:
      break;
  }
  return {Code::kNotFound, "model '" + name + "' not found", About::kModel};
}

std::string write_error(Dialect dialect, const Error& error, std::string_view request_id,
                        std::string_view type) {
  Json out = Json::object();
  switch (dialect) {
    case Dialect::kAnthropicMessages:
      out["type"] = "error";
      out["error"] = {{"type", type.empty() ? anthropic_type(error.code) : type},
                      {"message", abridged(client_message(dialect, error), kMessageBytesMax)}};
      // The vendor's SDKs send the whole conversation when they read this.
      if (error.about == About::kThread)
        out["error"]["details"] = {{"error_code", "thread_not_found"}};
      if (!request_id.empty()) out["request_id"] = request_id;
      break;
    case Dialect::kOpenAiChat:
    case Dialect::kOpenAiResponses:
    case Dialect::kOpenAiCompletions: {
      const OpenAiError known = openai_error(error);
      out["error"] = {{"message", abridged(client_message(dialect, error), kMessageBytesMax)},
                      {"type", known.type},  // Claude's types are no words of this API
                      {"param", or_null(error.field)},
                      {"code", or_null(known.code)}};
      break;
    }
    case Dialect::kOllamaChat:
    case Dialect::kOllamaGenerate:
      out["error"] = abridged(client_message(dialect, error), kMessageBytesMax);
      // Ollama's own client shows only this of a 401 (api/types.go, AuthorizationError).
      if (error.code == Code::kUnauthorized) out["status"] = out["error"];
      break;
  }
  return dump_json(out);
}

}  // namespace tophand::chat
