// What a provider says of one of its windows with an answer: how much of it is gone, and when it
// begins anew. Pure; backend/ reads it, steering/ paces by it.
#pragma once

#include <cstdint>
#include <string>

namespace tophand::policy {

struct ProviderLimit {
  std::string window = {};    // as the provider calls it: "5h", "7d"
  double used = 0;            // share, 0 to 1 and a little above
  std::int64_t reset_ms = 0;  // wall clock
  std::string status = {};    // "allowed", "allowed_warning", "rejected"; "" unless it said so
  bool operator==(const ProviderLimit&) const = default;
};

}  // namespace tophand::policy
