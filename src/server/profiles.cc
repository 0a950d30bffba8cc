#include "server/profiles.h"

#include <algorithm>

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

}  // namespace tophand::server
