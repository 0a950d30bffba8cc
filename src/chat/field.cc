#include "chat/field.h"

#include <cmath>

#include "base/json.h"

namespace tophand::chat {
namespace {

constexpr double kInt64Bound = 9223372036854775808.0;  // 2^63, exact as a double

std::string shown(double number) {
  return dump_json(Json(number));
}

}  // namespace

std::string_view json_type(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::object:
      return "an object";
    case Json::value_t::array:
      return "an array";
    case Json::value_t::string:
      return "a string";
    case Json::value_t::boolean:
      return "a boolean";
    default:
      return "a number";
  }
}

bool Field::absent() const {
  return value_ == nullptr || value_->is_null();
}
bool Field::is_string() const {
  return value_ != nullptr && value_->is_string();
}
bool Field::is_array() const {
  return value_ != nullptr && value_->is_array();
}
bool Field::is_object() const {
  return value_ != nullptr && value_->is_object();
}
bool Field::is_bool() const {
  return value_ != nullptr && value_->is_boolean();
}
bool Field::is_number() const {
  return value_ != nullptr && value_->is_number();
}
std::size_t Field::size() const {
  return absent() ? 0 : value_->size();
}

Field Field::operator[](std::string_view key) const {
  const Json* found = value_ == nullptr ? nullptr : find_key(*value_, key);
  return Field(found, style_, this, key, 0);
}

Field Field::at(std::size_t index) const {
  return Field(&(*value_)[index], style_, this, {}, index);
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
  if (value_ == nullptr) return refused("Field required");
  std::string why = "expected ";
  why += what;
  why += ", found ";
  why += json_type(*value_);
  return refused(why);
}

tl::unexpected<Error> Field::refused(std::string_view why) const {
  std::string where = path();
  if (where.empty()) return fail(Code::kInvalid, std::string(why));
  return fail_field(std::move(where), why);
}

Result<std::string> Field::string() const {
  if (!is_string()) return expected("a string");
  return value_->get_ref<const std::string&>();
}

Result<std::string> Field::string_or(std::string_view fallback) const {
  if (absent()) return std::string(fallback);
  return string();
}

Result<bool> Field::bool_or(bool fallback) const {
  if (absent()) return fallback;
  if (!is_bool()) return expected("a boolean");
  return value_->get<bool>();
}

Result<std::optional<std::int64_t>> Field::optional_integer() const {
  if (absent()) return std::optional<std::int64_t>();
  if (!is_number()) return expected("an integer");
  if (value_->is_number_unsigned() && value_->get<std::uint64_t>() > INT64_MAX)
    return refused("this integer is too large");
  if (value_->is_number_integer()) return std::optional(value_->get<std::int64_t>());
  const double number = value_->get<double>();
  if (std::trunc(number) != number || number < -kInt64Bound || number >= kInt64Bound)
    return refused("expected an integer, found " + shown(number));
  return std::optional(static_cast<std::int64_t>(number));
}

Result<std::optional<double>> Field::optional_number() const {
  if (absent()) return std::optional<double>();
  if (!is_number()) return expected("a number");
  return std::optional(value_->get<double>());
}

Result<std::vector<std::string>> Field::strings() const {
  std::vector<std::string> out;
  if (absent()) return out;
  if (!is_array()) return expected("an array of strings");
  for (std::size_t i = 0; i < size(); ++i) {
    const Field item = at(i);
    if (!item.is_string()) return item.expected("a string");
    out.push_back(item.json().get_ref<const std::string&>());
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
