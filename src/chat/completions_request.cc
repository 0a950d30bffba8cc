// Requests of OpenAI's legacy Completions API. docs/protocols/openai-completions.md says what is
// accepted.
#include "base/json.h"
#include "chat/request_parsers.h"

namespace tophand::chat {
namespace {

constexpr std::int64_t kMaxTokensDefault = 16;  // platform.openai.com, API reference, Completions

// A string, or an array of them: the first is the request's; for the others see
// several_answers.h. -> how many there are
Result<std::int64_t> parse_prompts(const Field& prompt, Request& request) {
  const std::size_t count = prompt.is_array() ? prompt.size() : 1;
  if (count == 0) return prompt.refused("expected at least one prompt");
  for (std::size_t i = 0; i < count; ++i) {
    const Field one = prompt.is_array() ? prompt.at(i) : prompt;
    TOPHAND_FIELD(text, one.string());
    if (text.empty()) return one.refused("must not be empty");
    if (i == 0) request.messages.push_back({Role::kUser, {TextBlock{std::move(text)}}});
  }
  return static_cast<std::int64_t>(count);
}

// Nothing here tells the best of more answers than are given.
Result<> check_best_of(const Field& root) {
  TOPHAND_FIELD(best_of, root["best_of"].optional_integer());
  if (best_of && *best_of != int_or(root.view(), "n", 1))
    return root["best_of"].refused("only as many answers as n are made");
  return {};
}

Result<> note_unknown_abilities(const Field& root, Request& request) {
  TOPHAND_FIELD(suffix, root["suffix"].string_or(""));
  if (!suffix.empty()) note_unknown(request, "suffix");
  TOPHAND_FIELD(echo, root["echo"].bool_or(false));
  if (echo) note_unknown(request, "echo");
  TOPHAND_FIELD(logprobs, root["logprobs"].optional_integer());
  if (logprobs) note_unknown(request, "logprobs");
  leave_out_logit_bias(root["logit_bias"], request);
  return {};
}

}  // namespace

Result<> parse_completions_request(const Field& root, Request& request) {
  TOPHAND_FIELD(model, root["model"].string());
  if (model.empty()) return root["model"].refused("must not be empty");
  request.model = std::move(model);
  TOPHAND_FIELD(prompts, parse_prompts(root["prompt"], request));
  request.raw_prompt = true;
  TOPHAND_FIELD_CHECK(note_unknown_abilities(root, request));
  TOPHAND_FIELD_CHECK(parse_openai_sampling(root, request));
  TOPHAND_FIELD(max_tokens, root["max_tokens"].integer_within(1, INT64_MAX));
  request.max_tokens = max_tokens.value_or(kMaxTokensDefault);
  TOPHAND_FIELD_CHECK(parse_openai_stop(root["stop"], request));
  TOPHAND_FIELD_CHECK(parse_openai_stream(root, request));
  TOPHAND_FIELD_CHECK(check_best_of(root));
  TOPHAND_FIELD_CHECK(parse_openai_answers(root, prompts, request));
  parse_own_words(root, request);
  return {};
}

}  // namespace tophand::chat
