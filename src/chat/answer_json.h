// Whole answers and the JSON pieces that several dialects share. Internal to this room.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json_fwd.h"
#include "chat/dialect.h"

namespace tophand::chat {

std::string write_anthropic_answer(const AnswerContext& context, const Answer& answer);
std::string write_openai_answer(const AnswerContext& context, const Answer& answer);
std::string write_responses_answer(const AnswerContext& context, const Answer& answer);
std::string write_completions_answer(const AnswerContext& context, const Answer& answer);
std::string write_ollama_answer(const AnswerContext& context, const Answer& answer, bool generate);

// Anthropic's name of a stop reason ("end_turn") and back; unknown names are end_turn.
std::string_view anthropic_stop_reason(StopReason reason);
StopReason stop_reason_from_anthropic(std::string_view name);

inline std::int64_t cache_writes(const Usage& usage) {
  return usage.cache_write_5m_tokens + usage.cache_write_1h_tokens;
}

// Chat Completions' and Completions' words. prompt_tokens counts everything that was read;
// cached_tokens says how much of it was cached, cache_write_tokens how much is from now on.
std::string_view openai_finish_reason(StopReason reason);
Json openai_usage(const Usage& usage);

// In a stream of OpenAI's older APIs, which may be a SharedStream: the index of the answer that is
// written, and, called once when it has been, the usage to end the stream with; nothing when other
// answers follow.
std::int64_t choice_index(const AnswerContext& context);
std::optional<Usage> usage_at_end(const AnswerContext& context, const Usage& usage);

// The error's type and code in the words of a Responses stream; never "".
std::string_view responses_error_type(const Error& error);
std::string_view responses_error_code(const Error& error);
// The error's message in the words that the dialect's clients look for.
std::string client_message(Dialect dialect, const Error& error);

// Tool arguments as a JSON object; {} where the text is none (an answer cut off at its limit).
Json arguments_json(const std::string& text);

// RFC 3339 in UTC: "2026-08-21T08:52:19Z", or with nine decimals, as Go writes times.
enum class TimePrecision : std::uint8_t { kSeconds, kNanoseconds };
std::string rfc3339(std::int64_t unix_ms, TimePrecision precision);

// A stream's error to the client's types: what concerns our own account with the upstream (its key,
// its bill) is not the client's business and becomes "".
std::string_view client_error_type(const Failed& failure);

}  // namespace tophand::chat
