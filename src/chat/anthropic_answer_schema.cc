// The schema of an answer in that part of JSON Schema which the Claude API holds answers to:
// https://platform.claude.com/docs/en/build-with-claude/structured-outputs, "JSON Schema
// limitations". Anthropic's SDKs change schemas much like this before they send them.
#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "chat/anthropic_schema.h"

namespace tophand::chat {
namespace {

constexpr std::array<std::string_view, 7> kTypes{"object", "array",   "string", "integer",
                                                 "number", "boolean", "null"};
constexpr std::array<std::string_view, 10> kFormats{
    "date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"};
// Say nothing about the answer. "$defs" of others than the root are reached by no name.
constexpr std::array<std::string_view, 6> kSilent{"$schema", "$id",   "$comment",
                                                  "$anchor", "$defs", "definitions"};
// Of these a reference may lose its own: the schema that it names has them too.
constexpr std::array<std::string_view, 7> kNotes{
    "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"};

template <class List>
bool is_one_of(const List& list, std::string_view word) {
  return std::ranges::find(list, word) != list.end();
}

bool is_primitive(const Json& value) {
  return !value.is_object() && !value.is_array();
}

// The member, taken out of the object.
std::optional<Json> take(Json& object, std::string_view key) {
  const auto found = object.find(std::string(key));
  if (found == object.end()) return std::nullopt;
  std::optional<Json> value = std::move(*found);
  object.erase(found);
  return value;
}

void move_member(std::string_view key, Json& from, Json& to) {
  if (auto value = take(from, key)) to[std::string(key)] = std::move(*value);
}

// The names in "type", taken out. Nothing when one is no type.
std::optional<std::vector<std::string>> take_types(Json& schema) {
  std::vector<std::string> types;
  const auto type = take(schema, "type");
  if (!type) return types;
  const auto add = [&](const Json& name) {
    if (!name.is_string() || !is_one_of(kTypes, name.get_ref<const std::string&>())) return false;
    types.push_back(name.get<std::string>());
    return true;
  };
  if (!type->is_array()) return add(*type) ? std::optional(types) : std::nullopt;
  if (type->empty() || !std::all_of(type->begin(), type->end(), add)) return std::nullopt;
  return types;
}

// A list of one is the schema itself: pydantic 1 and others hang a description on a reference so.
// False when the two cannot be one.
bool unwrap_all_of(Json& schema) {
  const Json* list = find_key(schema, "allOf");
  if (list == nullptr || !list->is_array() || list->size() != 1) return true;
  Json only = std::move((*take(schema, "allOf"))[0]);
  if (!only.is_object()) return false;
  for (auto& [key, value] : only.items()) {
    if (!schema.contains(key)) schema[key] = std::move(value);
    else if (!is_one_of(kNotes, key)) return false;
  }
  return true;
}

// Drafts leave the type open where the rest says it.
void say_type(Json& schema) {
  for (const char* key : {"type", "enum", "const", "anyOf", "oneOf", "$ref"})
    if (schema.contains(key)) return;
  if (schema.contains("properties")) schema["type"] = "object";
  else if (schema.contains("items")) schema["type"] = "array";
}

// Takes what the API refuses where the model reads it, if it does not have to keep it.
void describe(Json& rest, Json& out) {
  move_member("title", rest, out);
  std::string text(string_or(rest, "description", ""));
  rest.erase("description");
  if (const Json* fallback = find_key(rest, "default"); fallback != nullptr && fallback->is_null())
    rest.erase("default");
  if (!rest.empty()) (text += text.empty() ? "" : "\n\n") += dump_json(rest);
  if (!text.empty()) out["description"] = std::move(text);
}

// Each form_*() gives nothing for what the API cannot be told.
class AnswerSchema {
 public:
  std::optional<Json> form_root(Json schema) {
    if (!schema.is_object() || !take_definitions(schema)) return std::nullopt;
    auto root = form(std::move(schema));
    if (!root) return std::nullopt;
    Json forms = Json::object();
    // A schema names others, which are put behind it in the list.
    for (std::size_t i = 0; i < named_.size(); ++i) {
      at_ = i;
      const std::string name = named_[i].name;
      auto each = form(std::move(definitions_[name]));
      if (!each) return std::nullopt;
      forms[name] = std::move(*each);
    }
    if (is_recursive() || !is_object(*root, forms)) return std::nullopt;
    if (!forms.empty()) (*root)["$defs"] = std::move(forms);
    return root;
  }

 private:
  struct Named {
    std::string name;
    std::set<std::size_t> names = {};  // those it refers to
  };

  bool take_definitions(Json& schema) {
    for (const char* key : {"$defs", "definitions"}) {
      auto given = take(schema, key);
      if (!given) continue;
      if (!given->is_object()) return false;
      for (auto& [name, value] : given->items())
        if (!definitions_.emplace(name, std::move(value)).second) return false;
    }
    return true;
  }

  std::optional<Json> form(Json schema) {
    if (!schema.is_object()) return std::nullopt;  // `true`: anything
    for (const std::string_view key : kSilent) schema.erase(std::string(key));
    if (!unwrap_all_of(schema)) return std::nullopt;
    if (auto reference = take(schema, "$ref")) return form_reference(*reference, schema);
    say_type(schema);
    auto types = take_types(schema);
    if (!types) return std::nullopt;
    Json out = Json::object();
    if (!take_literals(schema, out) && !take_choice(*types, schema, out)) {
      if (types->empty()) return std::nullopt;
      if (!take_typed(*types, schema, out)) return std::nullopt;
    }
    if (failed_) return std::nullopt;
    describe(schema, out);
    return out;
  }

  std::optional<Json> form_reference(const Json& reference, const Json& beside) {
    for (const auto& [key, value] : beside.items())
      if (!is_one_of(kNotes, key)) return std::nullopt;
    const auto* path = reference.get_ptr<const std::string*>();
    if (path == nullptr) return std::nullopt;
    std::string name;
    for (const std::string_view place : {"#/$defs/", "#/definitions/"})
      if (path->starts_with(place)) name = path->substr(place.size());
    if (!definitions_.contains(name)) return std::nullopt;
    const auto [known, is_new] = places_.emplace(name, named_.size());
    if (is_new) named_.push_back({name});
    if (at_) named_[*at_].names.insert(known->second);
    Json out = Json::object();
    out["$ref"] = "#/$defs/" + name;
    return out;
  }

  static bool take_literals(Json& schema, Json& out) {
    if (const Json* list = find_key(schema, "enum");
        list != nullptr && list->is_array() && !list->empty() &&
        std::all_of(list->begin(), list->end(), is_primitive))
      move_member("enum", schema, out);
    if (const Json* value = find_key(schema, "const"); value != nullptr && is_primitive(*value))
      move_member("const", schema, out);
    return !out.empty();
  }

  // One of several schemas. Beside a type that says what is in it they only narrow that down, which
  // is left to the description.
  bool take_choice(const std::vector<std::string>& types, Json& schema, Json& out) {
    const bool is_said = schema.contains("properties") || schema.contains("items");
    const bool is_open = is_one_of(types, "object") || is_one_of(types, "array");
    if (!types.empty() && (is_said || !is_open)) return false;
    const char* key = schema.contains("anyOf") ? "anyOf" : "oneOf";
    const Json* given = find_key(schema, key);
    if (given == nullptr || !given->is_array() || given->empty()) return false;
    Json list = std::move(*take(schema, key));
    Json& variants = out["anyOf"] = Json::array();
    for (Json& each : list) {
      if (each.is_object() && types.size() == 1) {
        say_type(each);
        const bool says = std::ranges::any_of(
            std::array{"type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref"},
            [&](const char* word) { return each.contains(word); });
        if (!says) each["type"] = types.front();
      }
      auto variant = form(std::move(each));
      if (!variant) return failed_ = true;
      variants.push_back(std::move(*variant));
    }
    return true;
  }

  bool take_typed(const std::vector<std::string>& types, Json& schema, Json& out) {
    out["type"] = types.size() == 1 ? Json(types.front()) : Json(types);
    if (is_one_of(types, "object") && !take_object(schema, out)) return false;
    if (is_one_of(types, "array") && !take_array(schema, out)) return false;
    if (is_one_of(types, "string") && is_one_of(kFormats, string_or(schema, "format", "")))
      move_member("format", schema, out);
    return true;
  }

  // Objects have to be closed. One that is there to hold what has no name yet cannot be.
  bool take_object(Json& schema, Json& out) {
    auto given = take(schema, "properties");
    const auto others = take(schema, "additionalProperties");
    const bool is_closed = others && *others == Json(false);
    const bool is_map = schema.contains("patternProperties") || (others && !is_closed);
    if (given ? !given->is_object() || (given->empty() && is_map) : !is_closed) return false;
    Json& properties = out["properties"] = Json::object();
    std::set<std::string> names;
    if (given)
      for (auto& [name, value] : given->items()) {
        auto property = form(std::move(value));
        if (!property) return false;
        names.insert(name);
        properties[name] = std::move(*property);
      }
    if (const Json* required = find_key(schema, "required")) {
      const auto is_known = [&](const Json& name) {
        return name.is_string() && names.contains(name.get_ref<const std::string&>());
      };
      if (!required->is_array() || !std::all_of(required->begin(), required->end(), is_known))
        return false;
      move_member("required", schema, out);
    }
    out["additionalProperties"] = false;
    return true;
  }

  bool take_array(Json& schema, Json& out) {
    const Json* items = find_key(schema, "items");
    const bool is_any = items != nullptr && (*items == Json(true) || *items == Json::object());
    if (is_any) schema.erase("items");
    else if (items != nullptr && items->is_object()) {
      auto inner = form(std::move(*take(schema, "items")));
      if (!inner) return false;
      out["items"] = std::move(*inner);
    }
    if (const Json* least = find_key(schema, "minItems");
        least != nullptr && (*least == Json(0) || *least == Json(1)))
      move_member("minItems", schema, out);
    return true;
  }

  // Takes away what is named by nothing that is left, until nothing is; a circle stays.
  bool is_recursive() const {
    std::vector<std::size_t> named_by(named_.size()), free;
    for (const Named& each : named_)
      for (const std::size_t other : each.names) ++named_by[other];
    for (std::size_t i = 0; i < named_.size(); ++i)
      if (named_by[i] == 0) free.push_back(i);
    std::size_t taken = 0;
    for (; !free.empty(); ++taken) {
      const std::size_t at = free.back();
      free.pop_back();
      for (const std::size_t other : named_[at].names)
        if (--named_by[other] == 0) free.push_back(other);
    }
    return taken < named_.size();
  }

  // Whether every answer is one; not called for schemas that go in circles.
  static bool is_object(const Json& root, const Json& forms) {
    const Json* schema = &root;
    while (const Json* reference = find_key(*schema, "$ref")) {
      const auto& path = reference->get_ref<const std::string&>();
      schema = find_key(forms, std::string_view(path).substr(std::string_view("#/$defs/").size()));
    }
    return string_or(*schema, "type", "") == "object";
  }

  std::map<std::string, Json> definitions_;
  std::map<std::string, std::size_t> places_;  // in named_
  std::vector<Named> named_;                   // definitions that are referred to
  std::optional<std::size_t> at_;              // the one that is looked at; nothing: the root
  bool failed_ = false;
};

}  // namespace

std::optional<Json> answer_schema_for_claude(Json schema) {
  drop_nulls(schema);
  return AnswerSchema().form_root(std::move(schema));
}

}  // namespace tophand::chat
