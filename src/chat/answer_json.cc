#include "chat/answer_json.h"

#include <array>
#include <cstdio>
#include <utility>

#include "base/json.h"

namespace tophand::chat {
namespace {

constexpr std::array kStopReasons{
    std::pair{StopReason::kEndTurn, std::string_view("end_turn")},
    std::pair{StopReason::kMaxTokens, std::string_view("max_tokens")},
    std::pair{StopReason::kStopSequence, std::string_view("stop_sequence")},
    std::pair{StopReason::kToolUse, std::string_view("tool_use")},
    std::pair{StopReason::kPauseTurn, std::string_view("pause_turn")},
    std::pair{StopReason::kRefusal, std::string_view("refusal")},
    std::pair{StopReason::kContextFull, std::string_view("model_context_window_exceeded")},
};

}  // namespace

std::string write_answer(Dialect dialect, const AnswerContext& context, const Answer& answer) {
  switch (dialect) {
    case Dialect::kAnthropicMessages:
      return write_anthropic_answer(context, answer);
    case Dialect::kOpenAiChat:
      return write_openai_answer(context, answer);
    case Dialect::kOpenAiResponses:
      return write_responses_answer(context, answer);
    case Dialect::kOpenAiCompletions:
      return write_completions_answer(context, answer);
    case Dialect::kOllamaChat:
      return write_ollama_answer(context, answer, false);
    case Dialect::kOllamaGenerate:
      break;
  }
  return write_ollama_answer(context, answer, true);
}

void AnswerContext::write_into(SharedStream* stream) {
  shared = stream;
  if (stream == nullptr) return;
  id = stream->id;
  created_ms = stream->created_ms;
}

std::int64_t choice_index(const AnswerContext& context) {
  return context.shared == nullptr ? 0 : context.shared->finished;
}

std::optional<Usage> usage_at_end(const AnswerContext& context, const Usage& usage) {
  if (context.shared == nullptr) return usage;
  SharedStream& stream = *context.shared;
  // What OpenAI's usage is made of.
  stream.usage.input_tokens += usage.input_tokens;
  stream.usage.cache_read_tokens += usage.cache_read_tokens;
  stream.usage.cache_write_5m_tokens += cache_writes(usage);
  stream.usage.output_tokens += usage.output_tokens;
  stream.usage.thinking_tokens += usage.thinking_tokens;
  if (++stream.finished < stream.answers) return std::nullopt;
  return stream.usage;
}

std::string_view anthropic_stop_reason(StopReason reason) {
  for (const auto& [code, name] : kStopReasons)
    if (code == reason) return name;
  return "end_turn";
}

StopReason stop_reason_from_anthropic(std::string_view name) {
  for (const auto& [code, known] : kStopReasons)
    if (known == name) return code;
  if (name == "compaction") return StopReason::kPauseTurn;  // summed up, to be gone on with
  return StopReason::kEndTurn;
}

Json arguments_json(const std::string& text) {
  auto parsed = parse_json(text);
  return parsed && parsed->is_object() ? std::move(*parsed) : Json::object();
}

// Days to a civil date: Howard Hinnant, "chrono-compatible low-level date algorithms",
// civil_from_days.
std::string rfc3339(std::int64_t unix_ms, TimePrecision precision) {
  constexpr std::int64_t kMsPerDay = 86'400'000;
  constexpr std::int64_t kYear10000Ms = 253'402'300'800'000;
  if (unix_ms < 0 || unix_ms >= kYear10000Ms) unix_ms = 0;
  const std::int64_t day_ms = unix_ms % kMsPerDay;
  const std::int64_t z = unix_ms / kMsPerDay + 719'468;
  const std::int64_t era = z / 146'097;
  const std::int64_t day_of_era = z - era * 146'097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_shifted = (5 * day_of_year + 2) / 153;  // March is 0
  const std::int64_t day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
  const std::int64_t month = month_shifted < 10 ? month_shifted + 3 : month_shifted - 9;
  const std::int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  std::array<char, 64> text{};
  const auto as_int = [](std::int64_t value) { return static_cast<int>(value); };
  std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d", as_int(year),
                as_int(month), as_int(day), as_int(day_ms / 3'600'000),
                as_int(day_ms / 60'000 % 60), as_int(day_ms / 1000 % 60));
  std::string out = text.data();
  if (precision == TimePrecision::kNanoseconds) {
    std::snprintf(text.data(), text.size(), ".%03d000000", as_int(day_ms % 1000));
    out += text.data();
  }
  return out + 'Z';
}

std::string_view client_error_type(const Failed& failure) {
  const std::string_view type = failure.upstream_type;
  if (type == "authentication_error" || type == "permission_error" || type == "billing_error")
    return {};
  return type;
}

}  // namespace tophand::chat
