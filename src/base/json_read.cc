// Reading JSON. simdjson reads what is well-formed, in a fifth of the time; whatever it refuses (a
// fault, a number beyond 64 bits) is put to nlohmann's parser, whose verdict and words count.
#include "base/json_read.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "base/json.h"
#include "base/json_escape.h"

namespace tophand {
namespace {

constexpr std::size_t kMessageBytesMax = 300;

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

// The library's text without its "[json.exception.parse_error.101]" prefix. It quotes what it has
// read of the value, be it a megabyte of digits.
std::string tidy_message(std::string_view what) {
  const std::size_t end = what.find("] ");
  return abridged(end == std::string_view::npos ? what : what.substr(end + 2), kMessageBytesMax);
}

// `text` with U+FFFD for halves of surrogate pairs that stand alone; nothing when there are none.
// Programs in JavaScript and Python write them when they cut a string between the two, and read
// them; the two libraries here take them for a fault.
std::optional<std::string> without_lone_surrogates(std::string_view text) {
  std::optional<std::string> out;
  for (std::size_t at = text.find('\\'); at < text.size(); at = text.find('\\', at)) {
    const auto unit = escaped_unit(text, at);
    const bool high = unit && is_first_half(*unit), low = unit && is_second_half(*unit);
    const auto next = high ? escaped_unit(text, at + kUnitEscapeBytes) : std::nullopt;
    const bool is_pair = next && is_second_half(*next);
    if ((high && !is_pair) || low) {
      if (!out) out.emplace(text);
      out->replace(at, kUnitEscapeBytes, "\\ufffd");
    }
    at += is_pair ? 2 * kUnitEscapeBytes : unit ? kUnitEscapeBytes : 2;
  }
  return out;
}

Result<Json> parse_slowly(std::string_view text, const JsonLimits& limits) {
  const Shape shape = shape_of(text, limits);
  if (shape.members > limits.members_max)
    return fail(Code::kInvalid,
                "JSON object with more than " + std::to_string(limits.members_max) + " members");
  if (shape.depth > limits.depth_max)
    return fail(Code::kInvalid,
                "JSON nested deeper than " + std::to_string(limits.depth_max) + " levels");
  // To the library a zero byte is the end of the text, whatever stands behind it.
  if (const std::size_t zero = text.find('\0'); zero != std::string_view::npos)
    return fail(Code::kInvalid, "malformed JSON: a zero byte at byte " + std::to_string(zero + 1));
  const auto mended = without_lone_surrogates(text);
  try {
    return Json::parse(mended ? std::string_view(*mended) : text);
  } catch (const Json::exception& caught) {
    return fail(Code::kInvalid, "malformed JSON: " + tidy_message(caught.what()));
  }
}

namespace dom = simdjson::dom;

// The library's type of the same kind, empty, into which Builder writes in place.
Json::value_t kind_of(const dom::element& from) {
  switch (from.type()) {
    case dom::element_type::OBJECT:
      return Json::value_t::object;
    case dom::element_type::ARRAY:
      return Json::value_t::array;
    case dom::element_type::STRING:
      return Json::value_t::string;
    case dom::element_type::INT64:  // as the other parser has it
      return from.get_int64().value_unsafe() < 0 ? Json::value_t::number_integer
                                                 : Json::value_t::number_unsigned;
    case dom::element_type::UINT64:
      return Json::value_t::number_unsigned;
    case dom::element_type::DOUBLE:
      return Json::value_t::number_float;
    case dom::element_type::BOOL:
      return Json::value_t::boolean;
    case dom::element_type::NULL_VALUE:
      break;
  }
  return Json::value_t::null;
}

// Into the library's type. False when a limit is passed.
struct Builder {
  const JsonLimits limits;
  bool& repeats;  // set when the outermost object has equal keys

  bool object(const dom::object& from, Json::object_t& members, std::size_t depth) const {
    members.reserve(from.size());
    std::size_t count = 0;
    for (const auto& [key, value] : from) {
      if (++count > limits.members_max) return false;
      // The last of equal keys counts, in the place of the first.
      Json* place = find_key(members, key);
      repeats = repeats || (depth == 1 && place != nullptr);
      if (place != nullptr) *place = Json(kind_of(value));
      else place = &members.emplace_back(std::string(key), kind_of(value)).second;
      if (!fill(value, *place, depth)) return false;
    }
    return true;
  }

  bool array(const dom::array& from, Json::array_t& items, std::size_t depth) const {
    items.reserve(from.size());
    for (const dom::element item : from)
      if (!fill(item, items.emplace_back(kind_of(item)), depth)) return false;
    return true;
  }

  // `into` is empty, and of the kind of `from`.
  bool fill(const dom::element& from, Json& into, std::size_t depth) const {
    switch (into.type()) {
      case Json::value_t::object:
        return depth < limits.depth_max && object(from.get_object().value_unsafe(),
                                                  *into.get_ptr<Json::object_t*>(), depth + 1);
      case Json::value_t::array:
        return depth < limits.depth_max &&
               array(from.get_array().value_unsafe(), *into.get_ptr<Json::array_t*>(), depth + 1);
      case Json::value_t::string:
        into.get_ptr<std::string*>()->assign(from.get_string().value_unsafe());
        break;
      case Json::value_t::number_integer:
        *into.get_ptr<Json::number_integer_t*>() = from.get_int64().value_unsafe();
        break;
      case Json::value_t::number_unsigned:
        *into.get_ptr<Json::number_unsigned_t*>() = from.get_uint64().value_unsafe();
        break;
      case Json::value_t::number_float:
        *into.get_ptr<Json::number_float_t*>() = from.get_double().value_unsafe();
        break;
      case Json::value_t::boolean:
        *into.get_ptr<Json::boolean_t*>() = from.get_bool().value_unsafe();
        break;
      default:
        break;
    }
    return true;
  }
};

}  // namespace

Json tree_of(const dom::element& from) {
  constexpr std::size_t kAny = SIZE_MAX;  // it has been measured
  bool ignored = false;
  Json out(kind_of(from));
  Builder{{kAny, kAny, kAny}, ignored}.fill(from, out, 0);
  return out;
}

namespace {

std::optional<Json> parse_fast(std::string_view text, const JsonLimits& limits, bool& repeats) {
  if (text.empty()) return std::nullopt;  // simdjson would copy from nowhere
  const BorrowedParser borrowed;
  const auto root = borrowed->parse(text.data(), text.size());
  if (root.error() != simdjson::SUCCESS) return std::nullopt;
  std::optional<Json> out(std::in_place, kind_of(root.value_unsafe()));
  if (!Builder{limits, repeats}.fill(root.value_unsafe(), *out, 0)) out.reset();
  return out;
}

}  // namespace

Result<Json> parse_json(std::string_view text, JsonLimits limits) {
  bool ignored = false;
  return parse_json(text, ignored, limits);
}

Result<Json> parse_json(std::string_view text, bool& may_repeat, JsonLimits limits) {
  may_repeat = false;
  if (text.size() > limits.bytes_max)
    return fail(Code::kTooLarge, "JSON of " + std::to_string(text.size()) + " bytes, at most " +
                                     std::to_string(limits.bytes_max) + " are read");
  if (auto read = parse_fast(text, limits, may_repeat)) return *std::move(read);
  may_repeat = true;
  return parse_slowly(text, limits);
}

}  // namespace tophand
