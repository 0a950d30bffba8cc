#include "policy/classes.h"

#include <algorithm>

namespace tophand::policy {

const BuiltInClass* built_in_class(std::string_view name) {
  const auto* found = std::ranges::find(kBuiltInClasses, name, &BuiltInClass::name);
  return found == kBuiltInClasses.end() ? nullptr : found;
}

bool is_known_class(std::string_view name, const ClassPolicies& own) {
  return built_in_class(name) != nullptr || own.contains(name) ||
         std::ranges::find(kClientClasses, name) != kClientClasses.end();
}

ClassPolicy class_policy(std::string_view name, const ClassPolicies& own) {
  if (const auto found = own.find(name); found != own.end()) return found->second;
  const BuiltInClass* known = built_in_class(name);
  return {.weight = known != nullptr ? known->weight : 1};
}

}  // namespace tophand::policy
