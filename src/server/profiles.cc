#include "server/profiles.h"

#include <algorithm>

#include "chat/profile.h"

namespace tophand::server {

bool is_own_engine(const policy::Target& target) {
  return target.place == policy::Place::kLocal && target.backend.empty();
}

Result<> apply_profile(const Service& service, const std::vector<policy::Target>& targets,
                       chat::Request& local) {
  const auto target = std::ranges::find_if(targets, is_own_engine);
  if (target == targets.end()) return {};
  const auto model = service.deps().models->find(target->model);
  if (!model || !model->profile) return {};
  const models::Profile& text = *model->profile;
  TOPHAND_TRY(profile, "profile of " + model->name,
              chat::parse_profile({.system = text.system,
                                   .parameters_json = text.parameters_json,
                                   .messages_json = text.messages_json}));
  chat::apply_profile(profile, local);
  return {};
}

}  // namespace tophand::server
