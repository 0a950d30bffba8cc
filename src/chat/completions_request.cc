// Requests of OpenAI's legacy Completions API. docs/protocols/openai-completions.md says what is
// accepted.
#include "base/json.h"
#include "chat/request_parsers.h"

namespace tophand::chat {
namespace {

constexpr std::int64_t kMaxTokensDefault = 16;  // platform.openai.com, API reference, Completions

// A string, or an array of one: each further prompt would be an answer of its own.
Result<std::string> parse_prompt(const Field& prompt) {
  if (prompt.is_array() && prompt.size() != 1)
    return prompt.refused("only 1 prompt a request is supported, found " +
                          std::to_string(prompt.size()));
  const Field only = prompt.is_array() ? prompt.at(0) : prompt;
  TOPHAND_FIELD(text, only.string());
  if (text.empty()) return only.refused("must not be empty");
  return std::move(text);
}

Result<> check_one_answer(const Field& root) {
  for (const std::string_view key : {"n", "best_of"}) {
    TOPHAND_FIELD(count, root[key].optional_integer());
    if (count && *count != 1) return root[key].refused("only 1 answer a request is supported");
  }
  return {};
}

Result<> note_unknown_abilities(const Field& root, Request& request) {
  TOPHAND_FIELD(suffix, root["suffix"].string_or(""));
  if (!suffix.empty()) note_unsupported(request, "suffix");
  TOPHAND_FIELD(echo, root["echo"].bool_or(false));
  if (echo) note_unsupported(request, "echo");
  TOPHAND_FIELD(logprobs, root["logprobs"].optional_integer());
  if (logprobs) note_unsupported(request, "logprobs");
  return {};
}

}  // namespace

Result<Request> parse_completions_request(const Field& root) {
  Request request;
  TOPHAND_FIELD(model, root["model"].string());
  if (model.empty()) return root["model"].refused("must not be empty");
  request.model = std::move(model);
  TOPHAND_FIELD(prompt, parse_prompt(root["prompt"]));
  request.messages.push_back({Role::kUser, {TextBlock{std::move(prompt)}}});
  request.raw_prompt = true;
  TOPHAND_FIELD_CHECK(check_one_answer(root));
  TOPHAND_FIELD_CHECK(note_unknown_abilities(root, request));
  TOPHAND_FIELD_CHECK(parse_openai_sampling(root, request));
  TOPHAND_FIELD(max_tokens, root["max_tokens"].integer_within(1, INT64_MAX));
  request.max_tokens = max_tokens.value_or(kMaxTokensDefault);
  TOPHAND_FIELD_CHECK(parse_openai_stop(root["stop"], request));
  TOPHAND_FIELD_CHECK(parse_openai_stream(root, request));
  parse_own_words(root, request);
  return request;
}

}  // namespace tophand::chat
