#include "base/json_view.h"

#include <bit>
#include <cstring>
#include <utility>

#include "base/json.h"
#include "base/json_read.h"

namespace tophand {
namespace {

namespace dom = simdjson::dom;
using Kind = JsonView::Kind;

// A place on simdjson's tape, which is what its references to values are. The tape is 64-bit words
// with a letter for the kind in the highest byte (simdjson's doc/tape.md): "{" and "[" say where
// the word behind their end is, the values of numbers ('l', 'u', 'd') lie in the word behind, and
// those of strings are a length and bytes in a buffer of their own. Read here where a request does
// it some sixty times: the library's iterators take three times as long.
struct Place {
  const dom::document* document;
  std::size_t at;

  dom::element element() const { return std::bit_cast<dom::element>(*this); }
  const std::uint64_t* tape() const { return document->tape.get(); }
  char letter() const { return static_cast<char>(tape()[at] >> 56); }
};
static_assert(sizeof(Place) == sizeof(dom::element));

Place place_of(const dom::element& element) {
  return std::bit_cast<Place>(element);
}

[[gnu::always_inline]] inline std::size_t behind(const std::uint64_t* tape, std::size_t value) {
  const std::uint64_t word = tape[value];
  const char letter = static_cast<char>(word >> 56);
  if (letter == '{' || letter == '[') return word & 0xffff'ffff;
  return value + 1 + (letter == 'l' || letter == 'u' || letter == 'd' ? 1 : 0);
}

std::string_view text_at(const Place& place, std::size_t at) {
  constexpr std::uint64_t kPayload = 0x00ff'ffff'ffff'ffff;
  const std::uint8_t* text = place.document->string_buf.get() + (place.tape()[at] & kPayload);
  std::uint32_t bytes;
  std::memcpy(&bytes, text, sizeof bytes);
  return {std::bit_cast<const char*>(text + sizeof bytes), bytes};
}

// Where the last member of that name has its value; 0: there is none, or this is no object.
std::size_t find_value(const Place& object, std::string_view key) {
  if (object.letter() != '{') return 0;
  const std::uint64_t* tape = object.tape();
  const std::size_t end = behind(tape, object.at) - 1;
  std::size_t found = 0;
  for (std::size_t at = object.at + 1; at < end; at = behind(tape, at + 1)) {
    const std::string_view name = text_at(object, at);
    if (name.size() == key.size() && std::memcmp(name.data(), key.data(), key.size()) == 0)
      found = at + 1;
  }
  return found;
}

constexpr std::size_t kSizeMax = 0xffffff;  // simdjson counts no further

// Whether a document is within the limits, nesting and numbers of members; `depth` of `value`.
bool is_within(const dom::element& value, const JsonLimits& limits, std::size_t depth) {
  if (value.is_object()) {
    const dom::object members = value.get_object().value_unsafe();
    if (depth >= limits.depth_max || members.size() > limits.members_max) return false;
    for (const auto& [key, member] : members)
      if (!is_within(member, limits, depth + 1)) return false;
  } else if (value.is_array()) {
    const dom::array items = value.get_array().value_unsafe();
    if (depth >= limits.depth_max || items.size() >= kSizeMax) return false;
    for (const dom::element item : items)
      if (!is_within(item, limits, depth + 1)) return false;
  }
  return true;
}

bool has_equal_keys(const dom::object& object) {
  const auto end = object.end();
  for (auto at = object.begin(); at != end; ++at) {
    const std::string_view key = at.key();
    for (auto before = object.begin(); before != at; ++before)
      if (before.key_equals(key)) return true;
  }
  return false;
}

Kind kind_of(Json::value_t type) {
  switch (type) {
    case Json::value_t::object:
      return Kind::kObject;
    case Json::value_t::array:
      return Kind::kArray;
    case Json::value_t::string:
      return Kind::kString;
    case Json::value_t::boolean:
      return Kind::kBoolean;
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
      return Kind::kInteger;
    case Json::value_t::number_float:
      return Kind::kNumber;
    default:
      return Kind::kNull;
  }
}

Place parsed(const void* document, std::size_t at) {
  return {static_cast<const dom::document*>(document), at};
}

}  // namespace

// --- JsonDocument --------------------------------------------------------------------------------

Result<JsonDocument> JsonDocument::parse(std::string_view text, JsonLimits limits) {
  bool ignored = false;
  return parse(text, ignored, limits);
}

Result<JsonDocument> JsonDocument::parse(std::string_view text, bool& may_repeat,
                                         JsonLimits limits) {
  Result<JsonDocument> out{JsonDocument()};
  JsonDocument& document = *out;
  if (!text.empty() && text.size() <= limits.bytes_max) {
    auto* const parser = Parsers::all().take().release();
    document.parser_ = parser;
    const auto root = parser->parse(text.data(), text.size());
    if (root.error() == simdjson::SUCCESS && is_within(root.value_unsafe(), limits, 0)) {
      const dom::element& value = root.value_unsafe();
      const Place place = place_of(value);
      document.root_ = JsonView(place.document, place.at);
      may_repeat = value.is_object() && has_equal_keys(value.get_object().value_unsafe());
      return out;
    }
  }
  auto tree = parse_json(text, may_repeat, limits);
  if (!tree) return tl::unexpected(std::move(tree).error());
  document.tree_ = std::make_unique<Json>(*std::move(tree));
  return out;
}

JsonDocument::JsonDocument() = default;

JsonDocument::JsonDocument(JsonDocument&& other) noexcept
    : parser_(std::exchange(other.parser_, nullptr)),
      root_(other.root_),
      tree_(std::move(other.tree_)) {}

JsonDocument::~JsonDocument() {
  if (parser_ != nullptr)
    Parsers::all().give_back(Parsers::Parser(static_cast<dom::parser*>(parser_)));
}

// --- JsonView ------------------------------------------------------------------------------------

Kind JsonView::kind() const {
  if (base_ == nullptr) return Kind::kNull;
  if (const Json* tree = as_tree()) return kind_of(tree->type());
  switch (parsed(base_, at_).letter()) {
    case '{':
      return Kind::kObject;
    case '[':
      return Kind::kArray;
    case '"':
      return Kind::kString;
    case 'l':
    case 'u':
      return Kind::kInteger;
    case 'd':
      return Kind::kNumber;
    case 't':
    case 'f':
      return Kind::kBoolean;
    default:
      return Kind::kNull;
  }
}

JsonView JsonView::operator[](std::string_view key) const {
  if (base_ == nullptr) return {};
  if (const Json* tree = as_tree()) {
    const Json* found = find_key(*tree, key);
    return found != nullptr ? JsonView(*found) : JsonView();
  }
  const std::size_t found = find_value(parsed(base_, at_), key);
  return found != 0 ? JsonView(base_, found) : JsonView();
}

std::size_t JsonView::size() const {
  if (base_ == nullptr) return 0;
  if (const Json* tree = as_tree()) return tree->is_structured() ? tree->size() : 0;
  const dom::element value = parsed(base_, at_).element();
  if (value.is_object()) return value.get_object().value_unsafe().size();
  return value.is_array() ? value.get_array().value_unsafe().size() : 0;
}

std::string_view JsonView::string(std::string_view fallback) const {
  if (base_ == nullptr) return fallback;
  if (const Json* tree = as_tree())
    return tree->is_string() ? std::string_view(tree->get_ref<const std::string&>()) : fallback;
  const Place place = parsed(base_, at_);
  return place.letter() == '"' ? text_at(place, at_) : fallback;
}

bool JsonView::boolean(bool fallback) const {
  if (base_ == nullptr) return fallback;
  if (const Json* tree = as_tree()) return tree->is_boolean() ? tree->get<bool>() : fallback;
  const auto value = parsed(base_, at_).element().get_bool();
  return value.error() == simdjson::SUCCESS ? value.value_unsafe() : fallback;
}

double JsonView::number(double fallback) const {
  if (base_ == nullptr) return fallback;
  if (const Json* tree = as_tree()) return tree->is_number() ? tree->get<double>() : fallback;
  const auto value = parsed(base_, at_).element().get_double();
  return value.error() == simdjson::SUCCESS ? value.value_unsafe() : fallback;
}

std::int64_t JsonView::integer(std::int64_t fallback) const {
  if (base_ == nullptr || exceeds_int64()) return fallback;
  if (const Json* tree = as_tree()) {
    if (tree->is_number_integer()) return tree->get<std::int64_t>();
  } else {
    const auto whole = parsed(base_, at_).element().get_int64();
    if (whole.error() == simdjson::SUCCESS) return whole.value_unsafe();
  }
  constexpr double kBound = 9e18;
  const double value = number(2 * kBound);
  return value >= -kBound && value <= kBound ? static_cast<std::int64_t>(value) : fallback;
}

bool JsonView::exceeds_int64() const {
  if (base_ == nullptr) return false;
  if (const Json* tree = as_tree())
    return tree->is_number_unsigned() && tree->get<std::uint64_t>() > INT64_MAX;
  return parsed(base_, at_).letter() == 'u';  // others are 'l'
}

JsonView::Items JsonView::items() const {
  Items out;
  if (!is_array()) return out;
  out.base_ = base_;
  out.is_tree_ = as_tree() != nullptr;
  if (out.is_tree_) {
    out.end_ = as_tree()->size();
  } else {
    out.at_ = at_ + 1;
    out.end_ = behind(parsed(base_, at_).tape(), at_) - 1;
  }
  return out;
}

JsonView JsonView::Items::next() {
  if (at_ >= end_) return {};
  if (is_tree_) return (*static_cast<const Json*>(base_))[at_++];
  const std::size_t here = at_;
  at_ = behind(parsed(base_, at_).tape(), at_);
  return JsonView(base_, here);
}

Json JsonView::tree() const {
  if (base_ == nullptr) return {};
  if (const Json* tree = as_tree()) return *tree;
  return tree_of(parsed(base_, at_).element());
}

// -------------------------------------------------------------------------------------------------

std::string_view string_or(JsonView object, std::string_view key, std::string_view fallback) {
  return object[key].string(fallback);
}

std::int64_t int_or(JsonView object, std::string_view key, std::int64_t fallback) {
  return object[key].integer(fallback);
}

double number_or(JsonView object, std::string_view key, double fallback) {
  return object[key].number(fallback);
}

}  // namespace tophand
