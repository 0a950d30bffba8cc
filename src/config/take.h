// Values of the file taken into their places. For the parsers of this room only: toml++ is heavy
// and throws, and what it throws is caught in parse.cc.
#pragma once

#include <string>
#include <string_view>

#include "config/config.h"
#include "config/schema.h"
#include "config/toml.h"

namespace tophand::config {

std::string at_line(std::string_view origin, const toml::node& node);  // "FILE line 3: "
std::string full_name(std::string_view table, std::string_view name);
// "; did you mean `server.listen`?"
std::string known_near(std::string_view typed);

// Takes a value into its place, or says what was expected.
struct Taker {
  Range range;
  std::span<const std::string_view> words;
  const toml::node& node;

  std::string operator()(std::string* to) const;
  std::string operator()(std::int64_t* to) const;
  std::string operator()(bool* to) const;
  std::string operator()(double* to) const;
  std::string operator()(std::optional<double>* to) const;
  std::string operator()(std::vector<std::string>* to) const;
  std::string operator()(std::map<std::string, std::string>* to) const;
  std::string operator()(std::map<std::string, std::int64_t>* to) const;
  std::string operator()(std::optional<bool>* to) const;
  std::string operator()(Patterns* to) const;
};

template <class Owner>
const KeyOf<Owner>* find_key(std::span<const KeyOf<Owner>> known, std::string_view table,
                             std::string_view name) {
  for (const KeyOf<Owner>& key : known)
    if (key.table == table && key.name == name) return &key;
  return nullptr;
}

template <class Owner>
Result<> take(Owner& owner, std::span<const KeyOf<Owner>> known, std::string_view origin,
              std::string_view table, std::string_view name, const toml::node& node) {
  const KeyOf<Owner>* key = find_key(known, table, name);
  const std::string full = full_name(table, name);
  if (key == nullptr)
    return fail(Code::kConfig,
                at_line(origin, node) + "unknown key `" + full + "`" + known_near(full));
  const std::string problem = std::visit(Taker{key->range, key->words, node}, key->place(owner));
  if (problem.empty()) return {};
  return fail(Code::kConfig, at_line(origin, node) + full + ": " + problem);
}

// [[rules]], [classes.NAME], [keys.NAME], [personas.NAME].
Result<> read_rules(Config& config, const toml::node& node, std::string_view origin);
Result<> read_classes(Config& config, const toml::node& node, std::string_view origin);
Result<> read_callers(std::map<std::string, CallerConfig>& callers, std::string_view section,
                      const toml::node& node, std::string_view origin);

}  // namespace tophand::config
