// Reading JSON. simdjson reads what is well-formed, in a fifth of the time; whatever it refuses (a
// fault, a number beyond 64 bits) is put to nlohmann's parser, whose verdict and words count.
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/json.h"

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

// The code unit of the escape \uXXXX at `at`; nothing where there is none.
std::optional<unsigned> escaped_unit(std::string_view text, std::size_t at) {
  constexpr std::size_t kDigits = 4;
  if (text.substr(at, 2) != "\\u" || text.size() < at + 2 + kDigits) return std::nullopt;
  const char* digits = text.data() + at + 2;
  unsigned unit = 0;
  const auto read = std::from_chars(digits, digits + kDigits, unit, 16);
  return read.ptr == digits + kDigits ? std::optional(unit) : std::nullopt;
}

// `text` with U+FFFD for halves of surrogate pairs that stand alone; nothing when there are none.
// Programs in JavaScript and Python write them when they cut a string between the two, and read
// them; the two libraries here take them for a fault.
std::optional<std::string> without_lone_surrogates(std::string_view text) {
  constexpr std::size_t kEscapeBytes = 6;
  std::optional<std::string> out;
  for (std::size_t at = text.find('\\'); at < text.size(); at = text.find('\\', at)) {
    const auto unit = escaped_unit(text, at);
    const bool high = unit && (*unit & 0xfc00U) == 0xd800U;
    const bool low = unit && (*unit & 0xfc00U) == 0xdc00U;
    const auto next = high ? escaped_unit(text, at + kEscapeBytes) : std::nullopt;
    const bool is_pair = next && (*next & 0xfc00U) == 0xdc00U;
    if ((high && !is_pair) || low) {
      if (!out) out.emplace(text);
      out->replace(at, kEscapeBytes, "\\ufffd");
    }
    at += is_pair ? 2 * kEscapeBytes : unit ? kEscapeBytes : 2;
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

// Into the library's type. False when a limit is passed.
struct Builder {
  const JsonLimits& limits;
  bool& repeats;  // set when the outermost object has equal keys

  bool object(const dom::object& from, Json& into, std::size_t depth) const {
    Json::object_t members;
    members.reserve(from.size());
    std::size_t count = 0;
    for (const auto& [key, value] : from) {
      if (++count > limits.members_max) return false;
      // The last of equal keys counts, in the place of the first.
      const auto known = std::ranges::find(
          members, key, [](const auto& one) { return std::string_view(one.first); });
      repeats = repeats || (depth == 1 && known != members.end());
      Json& place = known == members.end() ? members.emplace_back(std::string(key), Json()).second
                                           : known->second;
      if (!build(value, place, depth)) return false;
    }
    into = std::move(members);
    return true;
  }

  bool array(const dom::array& from, Json& into, std::size_t depth) const {
    Json::array_t items;
    items.reserve(from.size());
    for (const dom::element item : from)
      if (!build(item, items.emplace_back(), depth)) return false;
    into = std::move(items);
    return true;
  }

  bool build(const dom::element& from, Json& into, std::size_t depth) const {
    switch (from.type()) {
      case dom::element_type::OBJECT:
        return depth < limits.depth_max &&
               object(from.get_object().value_unsafe(), into, depth + 1);
      case dom::element_type::ARRAY:
        return depth < limits.depth_max && array(from.get_array().value_unsafe(), into, depth + 1);
      case dom::element_type::STRING:
        into = std::string(from.get_string().value_unsafe());
        return true;
      case dom::element_type::INT64: {
        const std::int64_t number = from.get_int64().value_unsafe();
        if (number < 0) into = number;
        else into = static_cast<std::uint64_t>(number);  // as the other parser has it
        return true;
      }
      case dom::element_type::UINT64:
        into = from.get_uint64().value_unsafe();
        return true;
      case dom::element_type::DOUBLE:
        into = from.get_double().value_unsafe();
        return true;
      case dom::element_type::BOOL:
        into = from.get_bool().value_unsafe();
        return true;
      case dom::element_type::NULL_VALUE:
        into = nullptr;
        return true;
    }
    return false;
  }
};

// Parsers whose buffers were made before; a few, and small ones, as a text takes ten times its
// size.
class Parsers {
 public:
  using Parser = std::unique_ptr<dom::parser>;

  Parser take() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return std::make_unique<dom::parser>();
    Parser parser = std::move(idle_.back());
    idle_.pop_back();
    return parser;
  }
  void give_back(Parser parser) {
    if (parser->capacity() > kCapacityMax) return;
    const std::lock_guard lock(mutex_);
    if (idle_.size() < kIdleMax) idle_.push_back(std::move(parser));
  }
  static Parsers& all() {
    static Parsers& one = *new Parsers;  // threads may parse until the very end
    return one;
  }

 private:
  static constexpr std::size_t kCapacityMax = 64u << 10, kIdleMax = 8;
  std::mutex mutex_;
  std::vector<Parser> idle_;
};

struct Borrowed {
  Parsers::Parser parser = Parsers::all().take();
  ~Borrowed() { Parsers::all().give_back(std::move(parser)); }
};

std::optional<Json> parse_fast(std::string_view text, const JsonLimits& limits, bool& repeats) {
  if (text.empty()) return std::nullopt;  // simdjson would copy from nowhere
  const Borrowed borrowed;
  const auto root = borrowed.parser->parse(text.data(), text.size());
  if (root.error() != simdjson::SUCCESS) return std::nullopt;
  Json out;
  if (!Builder{limits, repeats}.build(root.value_unsafe(), out, 0)) return std::nullopt;
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
