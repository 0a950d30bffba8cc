#include "chat/field.h"

#include <cmath>

#include "base/ascii.h"
#include "base/json.h"

namespace tophand::chat {
namespace {

constexpr double kInt64Bound = 9223372036854775808.0;  // 2^63, exact as a double

constexpr std::size_t kWhyBytesMax = 600;  // as much as our longest words and a few names

std::string shown(double number) {
  return dump_json(Json(number));
}

}  // namespace

std::string_view json_type(JsonView value) {
  switch (value.kind()) {
    case JsonView::Kind::kNull:
      return "null";
    case JsonView::Kind::kObject:
      return "an object";
    case JsonView::Kind::kArray:
      return "an array";
    case JsonView::Kind::kString:
      return "a string";
    case JsonView::Kind::kBoolean:
      return "a boolean";
    default:
      return "a number";
  }
}

Json Field::tree() const {
  return value_.tree();
}

bool Field::absent() const {
  return value_.is_null();
}
bool Field::is_string() const {
  return value_.is_string();
}
bool Field::is_array() const {
  return value_.is_array();
}
bool Field::is_object() const {
  return value_.is_object();
}
bool Field::is_bool() const {
  return value_.is_boolean();
}
bool Field::is_number() const {
  return value_.is_number();
}
std::size_t Field::size() const {
  if (value_.is_object() || value_.is_array()) return value_.size();
  return absent() ? 0 : 1;
}

Field Field::operator[](std::string_view key) const {
  return Field(value_[key], style_, this, key, 0);
}

Field Field::at(std::size_t index) const {
  if (next_at_ == 0 || index < next_at_) {
    items_ = value_.items();
    next_at_ = 0;
  }
  for (; next_at_ < index; ++next_at_) static_cast<void>(items_.next());
  ++next_at_;
  return Field(items_.next(), style_, this, {}, index);
}

std::string Field::path() const {
  if (parent_ == nullptr) return {};
  std::string out = parent_->path();
  if (!key_.empty()) {
    if (!out.empty()) out += '.';
    out += key_;
  } else if (style_ == PathStyle::kDots) {
    if (!out.empty()) out += '.';
    out += std::to_string(index_);
  } else {
    out += '[';
    out += std::to_string(index_);
    out += ']';
  }
  return out;
}

tl::unexpected<Error> Field::expected(std::string_view what) const {
  if (!value_.is_there()) return refused("Field required");
  std::string why = "expected ";
  why += what;
  why += ", found ";
  why += json_type(value_);
  return refused(why);
}

tl::unexpected<Error> Field::refused(std::string_view why) const {
  // Both may quote what the client sent.
  std::string where = abridged(path());
  const std::string shown_why = abridged(why, kWhyBytesMax);
  if (where.empty()) return fail(Code::kInvalid, shown_why);
  return fail_field(std::move(where), shown_why);
}

Result<std::string> Field::string() const {
  if (!is_string()) return expected("a string");
  return std::string(value_.string());
}

Result<std::string> Field::string_or(std::string_view fallback) const {
  if (absent()) return std::string(fallback);
  return string();
}

Result<bool> Field::bool_or(bool fallback) const {
  if (absent()) return fallback;
  if (!is_bool()) return expected("a boolean");
  return value_.boolean(fallback);
}

Result<std::optional<std::int64_t>> Field::optional_integer() const {
  if (absent()) return std::optional<std::int64_t>();
  if (!is_number()) return expected("an integer");
  if (value_.exceeds_int64()) return refused("this integer is too large");
  if (value_.is_integer()) return std::optional(value_.integer(0));
  const double number = value_.number(0);
  if (std::trunc(number) != number || number < -kInt64Bound || number >= kInt64Bound)
    return refused("expected an integer, found " + shown(number));
  return std::optional(static_cast<std::int64_t>(number));
}

Result<std::optional<double>> Field::optional_number() const {
  if (absent()) return std::optional<double>();
  if (!is_number()) return expected("a number");
  return std::optional(value_.number(0));
}

Result<std::vector<std::string>> Field::strings() const {
  std::vector<std::string> out;
  if (absent()) return out;
  if (!is_array()) return expected("an array of strings");
  for (std::size_t i = 0; i < size(); ++i) {
    const Field item = at(i);
    if (!item.is_string()) return item.expected("a string");
    out.emplace_back(item.view().string());
  }
  return out;
}

Result<std::optional<std::int64_t>> Field::integer_within(std::int64_t low,
                                                          std::int64_t high) const {
  auto number = optional_integer();
  if (!number) return number;
  const std::optional<std::int64_t>& given = *number;
  if (!given || (*given >= low && *given <= high)) return number;
  return refused("expected an integer from " + std::to_string(low) + " to " + std::to_string(high) +
                 ", found " + std::to_string(*given));
}

Result<std::optional<double>> Field::number_within(double low, double high) const {
  auto number = optional_number();
  if (!number) return number;
  const std::optional<double>& given = *number;
  if (!given || (*given >= low && *given <= high)) return number;
  return refused("expected a number from " + shown(low) + " to " + shown(high) + ", found " +
                 shown(*given));
}

}  // namespace tophand::chat
