#include "server/profiles.h"

#include <algorithm>

#include "base/json.h"
#include "models/name.h"
#include "server/handlers.h"
#include "server/inspector.h"

namespace tophand::server {

bool is_own_engine(const policy::Target& target) {
  return target.place == policy::Place::kLocal && target.backend.empty();
}

Result<std::optional<chat::Profile>> profile_for(const Service& service,
                                                 const std::vector<policy::Target>& targets) {
  const auto target = std::ranges::find_if(targets, is_own_engine);
  if (target == targets.end()) return std::nullopt;
  const auto model = service.deps().models->find(target->model);
  if (!model) return std::nullopt;
  const std::optional<models::Profile>& text = model->profile;
  if (!text) return std::nullopt;
  TOPHAND_TRY(profile, "profile of " + model->name,
              chat::parse_profile({.system = text->system,
                                   .parameters_json = text->parameters_json,
                                   .messages_json = text->messages_json}));
  return std::move(profile);
}

Result<> apply_profile(const Service& service, Asked& asked) {
  auto profile = profile_for(service, asked.decision.targets);
  if (!profile) return tl::unexpected(std::move(profile).error());
  const std::optional<chat::Profile>& found = *profile;
  if (found) chat::apply_profile(*found, asked.own_local());
  return {};
}

// Of an alias nobody knows who would have answered, so `think` is a wish there, as in the other
// dialects.
Result<> check_thinking(Service& service, const Exchange& exchange, const Asked& asked) {
  const bool ollama = exchange.dialect == chat::Dialect::kOllamaChat ||
                      exchange.dialect == chat::Dialect::kOllamaGenerate;
  const chat::Request& request = asked.request;
  if (!ollama || !request.think.value_or(false) || service.deps().inspector == nullptr) return {};
  const std::vector<policy::Target>& targets = asked.decision.targets;
  if (targets.empty() || !std::ranges::all_of(targets, is_own_engine)) return {};
  const std::string_view bare = policy::bare_model(request.model);
  if (service.steering().settings()->aliases.contains(std::string(bare))) return {};
  const auto name = models::parse_name(bare);
  if (!name || is_reserved(*name)) return {};
  const auto model = service.deps().models->find(*name);
  if (!model || model->name != targets.front().model) return {};
  const auto told = service.deps().inspector->inspect(*model);
  if (!told || bool_or(**told, "thinking", true)) return {};
  return fail(Code::kInvalid, '"' + request.model + "\" does not support thinking");
}

}  // namespace tophand::server
