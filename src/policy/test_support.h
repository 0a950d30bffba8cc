// Facts and settings that the tests of the rules start from.
#pragma once

#include <string>
#include <utility>

#include "policy/policy.h"

namespace tophand::policy {

inline Settings settings_with_key() {
  return {.local_model = "small:1b", .claude_model = "claude-opus-5-5", .has_claude_key = true};
}

// `match` is what the model folder says the asked name means.
inline Facts facts_for(std::string_view model, std::string match = "") {
  return {.model_asked = model,
          .installed = {"other:7b", "small:1b"},
          .local_match = std::move(match),
          .local_default = "small:1b"};
}

}  // namespace tophand::policy
