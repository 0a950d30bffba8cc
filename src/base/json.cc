#include "base/json.h"

#include <cstring>

namespace tophand {

namespace {

// By hand: the library's search goes through its iterators, at four times the instructions, and a
// request asks for some seventy keys.
template <class Members>
auto* member_of(Members& members, std::string_view key) {
  for (auto& [name, value] : members)
    if (name.size() == key.size() && std::memcmp(name.data(), key.data(), key.size()) == 0)
      return &value;
  return static_cast<decltype(&members.front().second)>(nullptr);
}

}  // namespace

const Json* find_key(const Json& object, std::string_view key) {
  const auto* members = object.get_ptr<const Json::object_t*>();
  return members == nullptr ? nullptr : member_of(*members, key);
}

Json* find_key(Json::object_t& members, std::string_view key) {
  return member_of(members, key);
}

std::string_view string_or(const Json& object, std::string_view key, std::string_view fallback) {
  const Json* found = find_key(object, key);
  return found && found->is_string() ? std::string_view(found->get_ref<const std::string&>())
                                     : fallback;
}

std::int64_t int_or(const Json& object, std::string_view key, std::int64_t fallback) {
  const Json* found = find_key(object, key);
  if (!found || !found->is_number()) return fallback;
  if (found->is_number_unsigned()) {
    const auto value = found->get<std::uint64_t>();
    return value > INT64_MAX ? fallback : static_cast<std::int64_t>(value);
  }
  if (found->is_number_integer()) return found->get<std::int64_t>();
  const double value = found->get<double>();
  return value >= -9e18 && value <= 9e18 ? static_cast<std::int64_t>(value) : fallback;
}

double number_or(const Json& object, std::string_view key, double fallback) {
  const Json* found = find_key(object, key);
  return found && found->is_number() ? found->get<double>() : fallback;
}

bool bool_or(const Json& object, std::string_view key, bool fallback) {
  const Json* found = find_key(object, key);
  return found && found->is_boolean() ? found->get<bool>() : fallback;
}

}  // namespace tophand
