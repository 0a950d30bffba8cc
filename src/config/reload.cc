#include "config/reload.h"

#include <algorithm>
#include <array>
#include <variant>

#include "config/schema.h"

namespace tophand::config {
namespace {

// What is taken anew. Rules, classes, keys, personas and [budget] always are.
constexpr std::array<std::string_view, 16> kHot{"routing.default_priority",
                                                "routing.escalate",
                                                "models.local",
                                                "models.aliases",
                                                "claude.model",
                                                "claude.allow_local_fallback",
                                                "tiers.small",
                                                "tiers.standard",
                                                "tiers.hard",
                                                "learning.enabled",
                                                "learning.holdout_percent",
                                                "defer.deadline_s",
                                                "defer.hold_s",
                                                "defer.night",
                                                "defer.batch",
                                                "defer.batch_min_s"};

bool is_hot(const std::string& name) {
  return name.starts_with("budget.") || std::ranges::find(kHot, name) != kHot.end();
}

bool same(const Patterns& a, const Patterns& b) {
  return a.any_of == b.any_of;
}
template <class T>
bool same(const T& a, const T& b) {
  return a == b;
}

bool same_value(const Place& a, const Place& b) {
  return std::visit(
      [&](const auto* value) {
        const auto* other =
            std::get_if<std::remove_const_t<std::remove_pointer_t<decltype(value)>>*>(&b);
        return other != nullptr && same(*value, **other);
      },
      a);
}

template <class Owner>
bool all_same(Owner a, Owner b, std::span<const KeyOf<Owner>> known) {
  return std::ranges::all_of(
      known, [&](const KeyOf<Owner>& key) { return same_value(key.place(a), key.place(b)); });
}

bool same_backends(const Config& before, const Config& after) {
  return std::ranges::equal(before.backends, after.backends, [](const auto& a, const auto& b) {
    return a.api_key == b.api_key && all_same(a, b, backend_keys());
  });
}

bool same_claude_keys(const Config& before, const Config& after) {
  return std::ranges::equal(before.claude.keys, after.claude.keys,
                            [](const auto& a, const auto& b) {
                              return a.secret == b.secret && a.concurrency == b.concurrency &&
                                     a.requests_per_minute == b.requests_per_minute;
                            });
}

}  // namespace

std::vector<std::string> needs_restart(const Config& before, const Config& after) {
  Config a = before, b = after;  // the table of keys gives places to write to
  std::vector<std::string> out;
  for (const Key& key : keys()) {
    const std::string name = key.table.empty()
                                 ? std::string(key.name)
                                 : std::string(key.table) + "." + std::string(key.name);
    if (!is_hot(name) && !same_value(key.place(a), key.place(b))) out.push_back(name);
  }
  if (!same_backends(before, after)) out.emplace_back("backends");
  if (!same_claude_keys(before, after)) out.emplace_back("the Claude keys");
  return out;
}

}  // namespace tophand::config
