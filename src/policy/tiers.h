// The four steps of the ladder a request may be answered on, cheapest first. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace tophand::policy {

enum class Tier : std::uint8_t { kLocal, kSmall, kDefault, kHard };

constexpr std::string_view tier_name(Tier tier) {
  switch (tier) {
    case Tier::kLocal:
      return "local";
    case Tier::kSmall:
      return "small";
    case Tier::kDefault:
      return "default";
    case Tier::kHard:
      return "hard";
  }
  return "local";
}

}  // namespace tophand::policy
