#include "base/json.h"

#include <algorithm>
#include <vector>

namespace tophand {
namespace {

struct Shape {
  std::size_t depth = 0;    // deepest nesting of [ and {
  std::size_t members = 0;  // most colons directly inside one {...}
};

// Of the text outside strings, in one pass; stops early once over a limit.
Shape shape_of(std::string_view text, const JsonLimits& limits) {
  Shape shape;
  std::vector<std::size_t> members;  // of each open bracket
  bool in_string = false, escaped = false;
  for (const char c : text) {
    if (in_string) {
      if (escaped) escaped = false;
      else if (c == '\\') escaped = true;
      else if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    else if (c == '[' || c == '{') members.push_back(0);
    else if ((c == ']' || c == '}') && !members.empty()) members.pop_back();
    else if (c == ':' && !members.empty())
      shape.members = std::max(shape.members, ++members.back());
    shape.depth = std::max(shape.depth, members.size());
    if (shape.depth > limits.depth_max || shape.members > limits.members_max) return shape;
  }
  return shape;
}

// The library's text without its "[json.exception.parse_error.101]" prefix.
std::string tidy_message(std::string_view what) {
  const std::size_t end = what.find("] ");
  return std::string(end == std::string_view::npos ? what : what.substr(end + 2));
}

}  // namespace

Result<Json> parse_json(std::string_view text, JsonLimits limits) {
  if (text.size() > limits.bytes_max)
    return fail(Code::kTooLarge, "JSON of " + std::to_string(text.size()) + " bytes, at most " +
                                     std::to_string(limits.bytes_max) + " are read");
  const Shape shape = shape_of(text, limits);
  if (shape.members > limits.members_max)
    return fail(Code::kInvalid,
                "JSON object with more than " + std::to_string(limits.members_max) + " members");
  if (shape.depth > limits.depth_max)
    return fail(Code::kInvalid,
                "JSON nested deeper than " + std::to_string(limits.depth_max) + " levels");
  try {
    return Json::parse(text);
  } catch (const Json::exception& caught) {
    return fail(Code::kInvalid, "malformed JSON: " + tidy_message(caught.what()));
  }
}

std::string dump_json(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

const Json* find_key(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto it = object.find(key);
  return it == object.end() ? nullptr : &*it;
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
