// Bodies of the small read-only answers: lists of models, one model, a version, a token count.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "chat/dialect.h"

namespace tophand::chat {

struct ListedModel {
  std::string id;
  std::string display_name = {};  // "" shows the id
  std::string description = {};   // Claude Code's picker shows it
  std::int64_t created_ms = 0;    // wall clock
  std::string owned_by = "tophand";
  // Local models only:
  std::string parent = {};          // of a profile: the model that it was made of
  std::string family = {};          // "qwen2"
  std::string parameter_size = {};  // "1.5B"
  std::string quantization = {};    // "Q4_K_M"
  std::string digest = {};          // hex SHA-256, no prefix
  std::int64_t size_bytes = 0;
  std::int64_t context_tokens = 0;             // 0: unknown
  std::int64_t embedding_length = 0;           // 0: unknown
  std::vector<std::string> capabilities = {};  // "completion", "tools"
};

// kAnthropic is asked for by the anthropic-version header; both live under /v1/models.
enum class ModelListStyle : std::uint8_t { kOpenAi, kAnthropic, kOllamaTags };

std::string write_model_list(ModelListStyle style, const std::vector<ListedModel>& models);
// Anthropic's list, by pages (docs.claude.com, "List Models"): behind `after_id`, or right in front
// of `before_id`. kInvalid for one of them that is not in the list.
struct ModelPage {
  std::optional<std::int64_t> limit = {};  // absent: all of them
  std::string after_id = {}, before_id = {};
};
Result<std::string> write_model_page(std::vector<ListedModel> models, const ModelPage& page);

std::string write_model(ModelListStyle style, const ListedModel& model);

// A time as Ollama's answers have it: RFC 3339 with nanoseconds.
std::string ollama_time(std::int64_t unix_ms);
std::string write_ollama_version(std::string_view version);  // /api/version

// /v1/messages/count_tokens and /v1/responses/input_tokens.
std::string write_token_count(Dialect dialect, std::int64_t input_tokens);

}  // namespace tophand::chat
