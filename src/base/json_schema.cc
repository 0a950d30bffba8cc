#include "base/json_schema.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "base/json.h"

namespace tophand {
namespace {

// Schemas within schemas, references included. Values are at most 64 deep (base/json.h).
constexpr int kDepthMax = 256;
// Of a value, and of a list of values, in a message. Building one costs no more, whatever the
// value.
constexpr std::size_t kShownBytesMax = 80, kListBytesMax = 240;

std::string cut(std::string_view text) {
  if (text.size() <= kShownBytesMax) return std::string(text);
  std::size_t end = kShownBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "...";
}

std::string shown(const Json& value) {
  if (value.is_string()) return dump_json(cut(value.get_ref<const std::string&>()));
  if (value.is_array()) return "an array of " + std::to_string(value.size());
  if (value.is_object()) return "an object with " + std::to_string(value.size()) + " members";
  return dump_json(value);
}

// `each` gives the values one after another, nullptr at their end.
template <class Each>
std::string shown_list(Each each) {
  std::string out;
  for (std::optional<Json> value = each(); value; value = each()) {
    if (out.size() > kListBytesMax) return out + ", ...";
    out += (out.empty() ? "" : ", ") + shown(*value);
  }
  return out;
}

std::string member_path(const std::string& path, std::string_view key) {
  return path + "." + cut(key);
}

bool is_integral(const Json& value) {
  if (!value.is_number_float()) return value.is_number();
  const double number = value.get<double>();
  return std::isfinite(number) && std::floor(number) == number;
}

}  // namespace

bool has_type(const Json& value, std::string_view type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "null") return value.is_null();
  if (type == "number") return value.is_number();
  if (type == "integer") return is_integral(value);
  return true;  // nobody's type
}

namespace {

std::string with_article(std::string_view type) {
  const bool vowel = type.starts_with('a') || type.starts_with('i') || type.starts_with('o');
  return (type == "null" ? "" : vowel ? "an " : "a ") + std::string(type);
}

std::size_t code_points(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// One part of a JSON pointer, with ~0, ~1 and %XX undone.
std::string pointer_part(std::string_view raw) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] == '%' && i + 2 < raw.size() && digit(raw[i + 1]) >= 0 && digit(raw[i + 2]) >= 0) {
      out += static_cast<char>(digit(raw[i + 1]) * 16 + digit(raw[i + 2]));
      i += 2;
    } else if (raw[i] == '~' && i + 1 < raw.size() && (raw[i + 1] == '0' || raw[i + 1] == '1')) {
      out += raw[++i] == '0' ? '~' : '/';
    } else {
      out += raw[i];
    }
  }
  return out;
}

// What "#/a/b" points at; null when that is nothing.
const Json* at_pointer(const Json& document, std::string_view pointer) {
  const Json* at = &document;
  while (!pointer.empty()) {
    if (pointer[0] != '/') return nullptr;
    pointer.remove_prefix(1);
    const std::size_t end = std::min(pointer.find('/'), pointer.size());
    const std::string part = pointer_part(pointer.substr(0, end));
    pointer.remove_prefix(end);
    if (at->is_object()) {
      at = find_key(*at, part);
      if (at == nullptr) return nullptr;
    } else if (at->is_array()) {
      std::size_t index = 0;
      if (part.empty() || part.size() > 6) return nullptr;
      for (const char c : part) {
        if (c < '0' || c > '9') return nullptr;
        index = index * 10 + static_cast<std::size_t>(c - '0');
      }
      if (index >= at->size()) return nullptr;
      at = &(*at)[index];
    } else {
      return nullptr;
    }
  }
  return at;
}

// One check. The functions return true for "fits", or once the budget is spent: then nothing more
// is looked at and the answer is `too_costly`.
class Checker {
 public:
  explicit Checker(const Json& document) : document_(document) {}
  bool fits(const Json& schema, const Json& value, const std::string& path);
  bool too_costly() const { return steps_ > kSchemaStepsMax; }
  const std::string& finding() const { return finding_; }

 private:
  bool keywords(const Json& schema, const Json& value, const std::string& path);
  bool type(const Json& schema, const Json& value, const std::string& path);
  bool choices(const Json& schema, const Json& value, const std::string& path);
  bool object(const Json& schema, const Json& object, const std::string& path);
  bool unknown_member(const Json* known, std::string_view key, const std::string& path);
  bool members(const Json& schema, const Json& object, const std::string& path);
  bool dependencies(const Json& schema, const Json& object, const std::string& path);
  bool required(const Json& names, const Json& object, const std::string& path);
  bool array(const Json& schema, const Json& array, const std::string& path);
  bool contains(const Json& schema, const Json& array, const std::string& path);
  bool unique(const Json& array, const std::string& path);
  bool string(const Json& schema, const Json& value, const std::string& path);
  bool number(const Json& schema, const Json& value, const std::string& path);
  bool combined(const Json& schema, const Json& value, const std::string& path);
  bool some_of(const Json& schema, const Json& value, const std::string& path);
  // As fits(), but what it finds is forgotten: of "not", "if" and the forms of "anyOf".
  bool quietly_fits(const Json& schema, const Json& value, const std::string& path);
  bool equal(const Json& a, const Json& b);
  bool count_within(const Json& schema, std::pair<const char*, const char*> keys, std::size_t count,
                    const char* what, const std::string& path);
  bool broken(const std::string& path, std::string what) {
    finding_ = path + ": " + std::move(what);
    return false;
  }
  bool spend(int steps = 1) {
    steps_ = too_costly() ? steps_ : steps_ + steps;
    return !too_costly();
  }

  const Json& document_;
  int steps_ = 0, depth_ = 0;
  std::string finding_;
};

bool Checker::fits(const Json& schema, const Json& value, const std::string& path) {
  if (schema.is_boolean())
    return schema.get<bool>() || broken(path, "nothing is allowed here, found " + shown(value));
  if (!schema.is_object() || !spend()) return true;
  if (++depth_ > kDepthMax) steps_ = kSchemaStepsMax + 1;
  const bool good = too_costly() || keywords(schema, value, path);
  --depth_;
  return good;
}

bool Checker::quietly_fits(const Json& schema, const Json& value, const std::string& path) {
  const std::string kept = finding_;
  const bool good = fits(schema, value, path);
  finding_ = kept;
  return good;
}

bool Checker::keywords(const Json& schema, const Json& value, const std::string& path) {
  const std::string_view reference = string_or(schema, "$ref", "");
  if (reference.starts_with('#'))
    if (const Json* target = at_pointer(document_, reference.substr(1)))
      if (!fits(*target, value, path)) return false;
  if (value.is_null() && bool_or(schema, "nullable", false)) return true;  // OpenAPI's word
  if (!type(schema, value, path) || !choices(schema, value, path)) return false;
  if (value.is_object() && !object(schema, value, path)) return false;
  if (value.is_array() && !array(schema, value, path)) return false;
  if (value.is_string() && !string(schema, value, path)) return false;
  if (value.is_number() && !number(schema, value, path)) return false;
  return combined(schema, value, path);
}

bool Checker::type(const Json& schema, const Json& value, const std::string& path) {
  const Json* types = find_key(schema, "type");
  if (types == nullptr) return true;
  if (types->is_string()) {
    const auto& name = types->get_ref<const std::string&>();
    return has_type(value, name) ||
           broken(path, "expected " + with_article(name) + ", found " + shown(value));
  }
  if (!types->is_array() || types->empty()) return true;
  std::string names;
  for (const Json& each : *types) {
    if (!each.is_string() || has_type(value, each.get_ref<const std::string&>())) return true;
    names += (names.empty() ? "" : " or ") + with_article(each.get_ref<const std::string&>());
  }
  return broken(path, "expected " + names + ", found " + shown(value));
}

bool Checker::choices(const Json& schema, const Json& value, const std::string& path) {
  if (const Json* only = find_key(schema, "const"); only && !equal(*only, value))
    return too_costly() || broken(path, "expected " + shown(*only) + ", found " + shown(value));
  const Json* values = find_key(schema, "enum");
  if (values == nullptr || !values->is_array()) return true;
  for (const Json& each : *values)
    if (equal(each, value) || too_costly()) return true;
  std::size_t next = 0;
  const auto each = [&] {
    return next < values->size() ? std::optional((*values)[next++]) : std::nullopt;
  };
  return broken(path, "expected one of " + shown_list(each) + ", found " + shown(value));
}

bool Checker::equal(const Json& a, const Json& b) {
  if (!spend()) return true;
  if (a.is_number() && b.is_number()) return a == b;
  if (a.type() != b.type()) return false;
  if (a.is_array()) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i)
      if (!equal(a[i], b[i])) return false;
    return true;
  }
  if (!a.is_object()) return a == b;
  if (a.size() != b.size()) return false;
  for (const auto& [key, member] : a.items()) {
    spend(static_cast<int>(b.size()));  // an object's members are searched one by one
    const Json* other = find_key(b, key);
    if (other == nullptr || !equal(member, *other)) return false;
  }
  return true;
}

// minItems, maxItems and their like.
bool Checker::count_within(const Json& schema, std::pair<const char*, const char*> keys,
                           std::size_t count, const char* what, const std::string& path) {
  const auto bound = [&](const char* key, double fallback) {
    return number_or(schema, key, fallback);
  };
  const auto found = static_cast<double>(count);
  const std::string end = std::string(" ") + what + ", found " + std::to_string(count);
  if (found < bound(keys.first, 0))
    return broken(path, "expected at least " + shown(*find_key(schema, keys.first)) + end);
  if (found > bound(keys.second, found))
    return broken(path, "expected at most " + shown(*find_key(schema, keys.second)) + end);
  return true;
}

// --- objects -------------------------------------------------------------------------------------

bool Checker::required(const Json& names, const Json& object, const std::string& path) {
  if (!names.is_array()) return true;
  std::string missing;
  for (const Json& name : names) {
    if (!name.is_string() || !spend(static_cast<int>(object.size()) + 1)) continue;
    if (missing.size() > kListBytesMax || find_key(object, name.get_ref<const std::string&>()))
      continue;
    missing += (missing.empty() ? "" : ", ") + shown(name);
  }
  return missing.empty() || broken(path, "required but missing: " + missing);
}

bool Checker::object(const Json& schema, const Json& object, const std::string& path) {
  if (const Json* names = find_key(schema, "required"); names && !required(*names, object, path))
    return false;
  return count_within(schema, {"minProperties", "maxProperties"}, object.size(), "members", path) &&
         members(schema, object, path) && dependencies(schema, object, path);
}

bool Checker::unknown_member(const Json* known, std::string_view key, const std::string& path) {
  const std::string what = "there is no " + shown(std::string(key)) + " here";
  if (known == nullptr || !known->is_object() || known->empty()) return broken(path, what);
  auto next = known->begin();
  const auto each = [&] {
    return next != known->end() ? std::optional(Json((next++).key())) : std::nullopt;
  };
  return broken(path, what + ", only " + shown_list(each));
}

bool Checker::members(const Json& schema, const Json& object, const std::string& path) {
  const Json* known = find_key(schema, "properties");
  const Json* names = find_key(schema, "propertyNames");
  // Which of the others a pattern allows is not judged, so with patterns all are.
  const Json* others =
      schema.contains("patternProperties") ? nullptr : find_key(schema, "additionalProperties");
  const int searched = known && known->is_object() ? static_cast<int>(known->size()) : 0;
  for (const auto& [key, member] : object.items()) {
    if (!spend(1 + searched)) return true;
    if (names && !fits(*names, Json(key), member_path(path, key) + " (its name)")) return false;
    const Json* one = known ? find_key(*known, key) : nullptr;
    if (one == nullptr && others && *others == false) return unknown_member(known, key, path);
    if (one == nullptr) one = others;
    if (one && !fits(*one, member, member_path(path, key))) return false;
  }
  return true;
}

// "dependencies" (a list of names or a schema) and the two keywords it became.
bool Checker::dependencies(const Json& schema, const Json& object, const std::string& path) {
  for (const char* keyword : {"dependencies", "dependentRequired", "dependentSchemas"}) {
    const Json* table = find_key(schema, keyword);
    if (table == nullptr || !table->is_object()) continue;
    for (const auto& [key, then] : table->items()) {
      if (!spend(static_cast<int>(object.size()) + 1)) return true;
      if (find_key(object, key) == nullptr) continue;
      const bool good = then.is_array() ? required(then, object, path) : fits(then, object, path);
      if (!good) return false;
    }
  }
  return true;
}

// --- arrays --------------------------------------------------------------------------------------

bool Checker::array(const Json& schema, const Json& array, const std::string& path) {
  if (!count_within(schema, {"minItems", "maxItems"}, array.size(), "items", path)) return false;
  const Json* items = find_key(schema, "items");
  const Json* first = find_key(schema, "prefixItems");
  const Json* rest = items;
  if (first == nullptr && items && items->is_array()) {  // as it was up to 2019-09
    first = items;
    rest = find_key(schema, "additionalItems");
  }
  const std::size_t listed = first && first->is_array() ? first->size() : 0;
  for (std::size_t i = 0; i < array.size(); ++i) {
    const Json* one = i < listed ? &(*first)[i] : rest;
    if (one && !fits(*one, array[i], path + "[" + std::to_string(i) + "]")) return false;
  }
  if (bool_or(schema, "uniqueItems", false) && !unique(array, path)) return false;
  return contains(schema, array, path);
}

bool Checker::unique(const Json& array, const std::string& path) {
  for (std::size_t i = 0; i < array.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (equal(array[i], array[j]))
        return too_costly() ||
               broken(path, "the items must differ, found twice " + shown(array[i]));
  return true;
}

bool Checker::contains(const Json& schema, const Json& array, const std::string& path) {
  const Json* wanted = find_key(schema, "contains");
  if (wanted == nullptr) return true;
  double found = 0;
  for (const Json& item : array)
    if (quietly_fits(*wanted, item, path)) ++found;
  if (found < number_or(schema, "minContains", 1))
    return broken(path, "no item is what the array has to contain");
  return found <= number_or(schema, "maxContains", found) ||
         broken(path, "too many items are what the array may contain only a few of");
}

// --- strings and numbers -------------------------------------------------------------------------

bool Checker::string(const Json& schema, const Json& value, const std::string& path) {
  return count_within(schema, {"minLength", "maxLength"},
                      code_points(value.get_ref<const std::string&>()), "characters", path);
}

bool Checker::number(const Json& schema, const Json& value, const std::string& path) {
  // A bound and what breaks it; draft 4 has "exclusiveMinimum": true beside "minimum".
  const auto check = [&](const char* key, const char* words, auto breaks) {
    const Json* bound = find_key(schema, key);
    if (bound == nullptr || !bound->is_number() || !breaks(value, *bound)) return true;
    return broken(path, std::string(words) + shown(*bound) + ", found " + shown(value));
  };
  const bool above = bool_or(schema, "exclusiveMinimum", false);
  const bool below = bool_or(schema, "exclusiveMaximum", false);
  const auto less = [](const Json& a, const Json& b) { return a < b; };
  const auto not_more = [](const Json& a, const Json& b) { return a <= b; };
  const auto more = [](const Json& a, const Json& b) { return a > b; };
  const auto not_less = [](const Json& a, const Json& b) { return a >= b; };
  const auto no_multiple = [](const Json& a, const Json& b) {
    const double step = b.get<double>(), ratio = a.get<double>() / step;
    // In binary 0.3 is no multiple of 0.1; a part in 10^9 is rounding.
    return step > 0 && std::isfinite(ratio) && std::abs(ratio - std::round(ratio)) > 1e-9;
  };
  return (above ? check("minimum", "expected more than ", not_more)
                : check("minimum", "expected at least ", less)) &&
         (below ? check("maximum", "expected less than ", not_less)
                : check("maximum", "expected at most ", more)) &&
         check("exclusiveMinimum", "expected more than ", not_more) &&
         check("exclusiveMaximum", "expected less than ", not_less) &&
         check("multipleOf", "expected a multiple of ", no_multiple);
}

// --- schemas made of schemas ---------------------------------------------------------------------

bool Checker::combined(const Json& schema, const Json& value, const std::string& path) {
  if (const Json* all = find_key(schema, "allOf"); all && all->is_array())
    for (const Json& each : *all)
      if (!fits(each, value, path)) return false;
  if (!some_of(schema, value, path)) return false;
  if (const Json* none = find_key(schema, "not"); none && quietly_fits(*none, value, path))
    return too_costly() || broken(path, "what is not allowed here: " + shown(value));
  const Json* condition = find_key(schema, "if");
  if (condition == nullptr) return true;
  const Json* then = find_key(schema, quietly_fits(*condition, value, path) ? "then" : "else");
  return then == nullptr || fits(*then, value, path);
}

bool Checker::some_of(const Json& schema, const Json& value, const std::string& path) {
  for (const char* keyword : {"anyOf", "oneOf"}) {
    const Json* forms = find_key(schema, keyword);
    if (forms == nullptr || !forms->is_array() || forms->empty()) continue;
    int fitting = 0;
    std::string why;
    const bool one = std::string_view(keyword) == "oneOf";
    for (const Json& form : *forms) {
      if (fits(form, value, path)) ++fitting;
      else if (why.empty()) why = finding_;
      if (too_costly() || (fitting > 0 && !one)) break;
    }
    finding_.clear();
    if (too_costly()) return true;
    if (fitting > 1 && one)
      return broken(path, "fits more than one of the allowed forms, found " + shown(value));
    if (fitting == 0)
      return forms->size() == 1
                 ? broken(path, why.substr(std::min(why.size(), path.size() + 2)))
                 : broken(path, "fits none of the allowed forms (the first: " + why + ")");
  }
  return true;
}

}  // namespace

Result<std::optional<std::string>> schema_mismatch(const Json& schema, const Json& value,
                                                   std::string_view root) {
  Checker checker(schema);
  const bool fits = checker.fits(schema, value, std::string(root));
  if (checker.too_costly())
    return fail(Code::kTooLarge, "the schema takes more than " + std::to_string(kSchemaStepsMax) +
                                     " steps to judge a value");
  return fits ? std::nullopt : std::optional(checker.finding());
}

}  // namespace tophand
