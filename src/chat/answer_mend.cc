#include "chat/answer_mend.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "base/ascii.h"
#include "base/json.h"
#include "base/json_schema.h"

namespace tophand::chat {
namespace {

constexpr std::size_t kCandidatesMax = 8;
constexpr int kStepsMax = 50'000;                             // values looked at and names compared
constexpr double kExactIntegerMax = 9'007'199'254'740'992.0;  // 2^53: beyond it doubles skip some
constexpr std::string_view kFence = "```", kSpace = " \t\r\n";

// From the bracket that `text` begins with to the one that closes it; all of it when none does.
std::string_view bracketed(std::string_view text) {
  std::size_t depth = 0;
  bool in_string = false, escaped = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (escaped) escaped = false;
      else if (c == '\\') escaped = true;
      else if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return text.substr(0, i + 1);
    }
  }
  return text;
}

void add_fenced(std::string_view text, std::vector<std::string_view>& out) {
  std::size_t open = text.find(kFence);
  while (open != std::string_view::npos && out.size() < kCandidatesMax) {
    const std::size_t line_end = text.find('\n', open);
    if (line_end == std::string_view::npos) return;
    const std::size_t close = text.find(kFence, line_end);
    out.push_back(trimmed(text.substr(line_end, close - line_end), kSpace));  // npos: to the end
    if (close == std::string_view::npos) return;
    open = text.find(kFence, close + kFence.size());
  }
}

void add_bracketed(std::string_view text, std::vector<std::string_view>& out) {
  std::size_t at = text.find_first_of("{[");
  while (at != std::string_view::npos && out.size() < kCandidatesMax) {
    const std::string_view found = bracketed(text.substr(at));
    if (std::ranges::find(out, found) == out.end()) out.push_back(found);
    at = text.find_first_of("{[", at + found.size());
  }
}

std::string loose(std::string_view name) {
  std::string out = lowered(name);
  std::erase_if(out, [](char c) { return c == '_' || c == '-' || c == ' '; });
  return out;
}

std::optional<Json> number_in(std::string_view text, bool whole) {
  text = trimmed(text, kSpace);
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  std::int64_t integer = 0;
  if (const auto read = std::from_chars(begin, end, integer);
      read.ec == std::errc() && read.ptr == end)
    return Json(integer);
  double number = 0;
  const auto read = std::from_chars(begin, end, number);
  if (read.ec != std::errc() || read.ptr != end || !std::isfinite(number)) return std::nullopt;
  if (!whole) return Json(number);
  if (number != std::trunc(number) || std::fabs(number) > kExactIntegerMax) return std::nullopt;
  return Json(static_cast<std::int64_t>(number));
}

class Mender {
 public:
  void mend(const Json& schema, Json& value) {
    if (!schema.is_object() || steps_left_-- <= 0) return;
    const std::vector<std::string_view> types = types_of(schema);
    const auto fits = [&](std::string_view type) { return has_type(value, type); };
    if (!types.empty() && std::ranges::none_of(types, fits)) convert(types, value);
    if (value.is_string()) choose(schema, value);
    if (value.is_array())
      if (const Json* items = find_key(schema, "items"); items != nullptr)
        for (Json& item : value) mend(*items, item);
    if (value.is_object()) members(schema, value);
  }

 private:
  static std::vector<std::string_view> types_of(const Json& schema) {
    std::vector<std::string_view> out;
    const Json* type = find_key(schema, "type");
    if (type == nullptr) return out;
    if (type->is_string()) out.emplace_back(type->get_ref<const std::string&>());
    if (type->is_array())
      for (const Json& each : *type)
        if (each.is_string()) out.emplace_back(each.get_ref<const std::string&>());
    return out;
  }

  static std::optional<Json> converted(std::string_view type, const Json& value) {
    if (value.is_string()) {
      const std::string& text = value.get_ref<const std::string&>();
      if (type == "integer" || type == "number") return number_in(text, type == "integer");
      const std::string word = lowered(trimmed(text, kSpace));
      if (type == "boolean" && (word == "true" || word == "false")) return Json(word == "true");
      if (type == "null" && word == "null") return Json(nullptr);
    }
    if (type == "string" && (value.is_number() || value.is_boolean()))
      return Json(dump_json(value));
    if (type == "array" && !value.is_null()) return Json::array({value});
    const bool one = value.is_array() && value.size() == 1 && has_type(value.front(), type);
    return one ? std::optional<Json>(value.front()) : std::nullopt;
  }

  static void convert(const std::vector<std::string_view>& types, Json& value) {
    for (const std::string_view type : types)
      if (auto found = converted(type, value)) {
        value = std::move(*found);
        return;
      }
  }

  // The one enum value that is spelled alike.
  void choose(const Json& schema, Json& value) {
    const Json* choices = find_key(schema, "enum");
    if (choices == nullptr || !choices->is_array()) return;
    const std::string word = loose(value.get_ref<const std::string&>());
    const Json* alike = nullptr;
    for (const Json& choice : *choices) {
      if (choice == value || steps_left_-- <= 0) return;
      if (!choice.is_string() || loose(choice.get_ref<const std::string&>()) != word) continue;
      if (alike != nullptr) return;
      alike = &choice;
    }
    if (alike != nullptr) value = *alike;
  }

  void members(const Json& schema, Json& value) {
    const Json* properties = find_key(schema, "properties");
    if (properties == nullptr || !properties->is_object()) return;
    for (const auto& [name, each] : properties->items()) {
      if (steps_left_ <= 0) return;
      auto found = value.find(name);
      if (found == value.end() && rename(name, *properties, value)) found = value.find(name);
      if (found != value.end()) mend(each, found.value());
      else if (requires_member(schema, name) && may_be_null(each)) value[name] = nullptr;
    }
    const Json* more = find_key(schema, "additionalProperties");
    if (more == nullptr || *more != false || find_key(schema, "patternProperties") != nullptr)
      return;
    Json kept = Json::object();
    for (auto& [name, member] : value.items())
      if (properties->contains(name)) kept[name] = std::move(member);
    value = std::move(kept);
  }

  // A member spelled alike that the schema does not have becomes `name`.
  bool rename(const std::string& name, const Json& properties, Json& value) {
    const std::string word = loose(name);
    for (const auto& [other, member] : value.items()) {
      if (steps_left_-- <= 0) return false;
      if (properties.contains(other) || loose(other) != word) continue;
      Json moved = member;
      value.erase(std::string(other));
      value[name] = std::move(moved);
      return true;
    }
    return false;
  }

  static bool requires_member(const Json& schema, std::string_view name) {
    const Json* required = find_key(schema, "required");
    return required != nullptr && required->is_array() &&
           std::ranges::any_of(*required, [&](const Json& each) {
             return each.is_string() && each.get_ref<const std::string&>() == name;
           });
  }

  static bool may_be_null(const Json& schema) {
    const std::vector<std::string_view> types = types_of(schema);
    return std::ranges::find(types, "null") != types.end();
  }

  int steps_left_ = kStepsMax;
};

}  // namespace

std::vector<std::string_view> json_candidates(std::string_view text) {
  text = trimmed(text, kSpace);
  std::vector<std::string_view> out;
  add_fenced(text, out);
  // An answer that is one fenced block is what stands in it; any other is itself first.
  const bool all_fenced = out.size() == 1 && text.starts_with(kFence) && text.ends_with(kFence);
  if (!all_fenced) out.insert(out.begin(), text);
  add_bracketed(text, out);
  if (out.size() > kCandidatesMax) out.resize(kCandidatesMax);
  return out;
}

Json mended_json(const Json& schema, Json value) {
  Mender().mend(schema, value);
  return value;
}

}  // namespace tophand::chat
