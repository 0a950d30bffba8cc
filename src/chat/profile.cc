#include "chat/profile.h"

#include <algorithm>

#include "base/json.h"
#include "chat/dialect.h"

namespace tophand::chat {
namespace {

template <typename T>
void fill(std::optional<T>& value, const std::optional<T>& fallback) {
  if (!value) value = fallback;
}

}  // namespace

Result<Profile> parse_profile(const ProfileText& text) {
  TOPHAND_TRY(parameters, "parameters", parse_json(text.parameters_json));
  TOPHAND_TRY(messages, "messages", parse_json(text.messages_json));
  Json body = Json::object();
  body["model"] = "profile";
  body["messages"] = std::move(messages);
  body["options"] = std::move(parameters);
  auto parsed = parse_request(Dialect::kOllamaChat, dump_json(body));
  if (!parsed) return tl::unexpected(std::move(parsed).error());
  return Profile{.system = std::string(text.system),
                 .messages = std::move(parsed->messages),
                 .sampling = parsed->sampling,
                 .max_tokens = parsed->max_tokens,
                 .stop = std::move(parsed->stop)};
}

void apply_profile(const Profile& profile, Request& request) {
  Sampling& sampling = request.sampling;
  fill(sampling.temperature, profile.sampling.temperature);
  fill(sampling.top_p, profile.sampling.top_p);
  fill(sampling.min_p, profile.sampling.min_p);
  fill(sampling.repeat_penalty, profile.sampling.repeat_penalty);
  fill(sampling.presence_penalty, profile.sampling.presence_penalty);
  fill(sampling.frequency_penalty, profile.sampling.frequency_penalty);
  fill(sampling.top_k, profile.sampling.top_k);
  fill(sampling.seed, profile.sampling.seed);
  fill(request.max_tokens, profile.max_tokens);
  if (request.stop.empty()) request.stop = profile.stop;
  if (request.raw_prompt || request.load_only) return;

  auto& messages = request.messages;
  const auto is_system = [](const Message& message) { return message.role == Role::kSystem; };
  const auto turns = std::ranges::find_if_not(messages, is_system);
  const bool has_system = turns != messages.begin();
  messages.insert(turns, profile.messages.begin(), profile.messages.end());
  if (!has_system && !profile.system.empty())
    messages.insert(messages.begin(), Message{Role::kSystem, {TextBlock{profile.system}}});
}

}  // namespace tophand::chat
