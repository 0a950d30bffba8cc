// The keys of tophand.toml as a table: one row a key says where its value goes, what is allowed and
// what the commented default file says about it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config.h"

namespace tophand::config {

struct Range {
  std::int64_t min = 0, max = INT64_MAX;
};

// Where a value is kept; the kind of pointer is the kind of value.
using Place =
    std::variant<std::string*, std::int64_t*, bool*, double*, std::optional<bool>*,
                 std::optional<double>*, std::vector<std::string>*, Patterns*,
                 std::map<std::string, std::string>*, std::map<std::string, std::int64_t>*>;

template <class Owner>
struct KeyOf {
  std::string_view table, name;
  Place (*place)(Owner&);
  std::string_view help;
  Range range = {};                              // whole numbers, also those of a table
  std::span<const std::string_view> words = {};  // texts that are one of a few
};
using Key = KeyOf<Config>;
using RuleKey = KeyOf<RuleConfig>;            // of one [[rules]] entry
using WhenKey = KeyOf<WhenConfig>;            // of its `when`
using ClassKey = KeyOf<ClassConfig>;          // of one [classes.NAME]
using CallerKey = KeyOf<CallerConfig>;        // of one [keys.NAME] or [personas.NAME]
using BackendKey = KeyOf<BackendConfig>;      // of one [[backends]] entry; its table is "backends"
using CapKey = KeyOf<CapConfig>;              // of one [[budget.caps]] entry
using ClaudeKeyKey = KeyOf<ClaudeKeyConfig>;  // of one [[claude.keys]] entry

// " line 12" of the TOML text, where "table.key" is set; "" where it is not, or the text is none.
std::string line_of_setting(std::string_view text, std::string_view setting);

std::span<const Key> keys();
std::span<const BackendKey> backend_keys();
std::span<const CapKey> cap_keys();
std::span<const RuleKey> rule_keys();
std::span<const WhenKey> when_keys();
std::span<const ClassKey> class_keys();
std::span<const CallerKey> caller_keys();
std::span<const ClaudeKeyKey> claude_key_keys();

}  // namespace tophand::config
