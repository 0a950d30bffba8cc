// A JSON value that knows where in the request it was found, so that every complaint names its
// field. Used by the request parsers of this room only. Views into the parsed document; nothing is
// copied.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_view.h"
#include "base/result.h"

namespace tophand::chat {

// How a dialect spells a path: "messages.2.content" or "messages[2].content".
enum class PathStyle : std::uint8_t { kDots, kBrackets };

class Field {
 public:
  Field(JsonView root, PathStyle style) : value_(root), style_(style) {}

  bool absent() const;  // missing, or null
  bool is_string() const;
  bool is_array() const;
  bool is_object() const;
  bool is_bool() const;
  bool is_number() const;
  JsonView view() const { return value_; }
  Json tree() const;
  std::size_t size() const;  // 0 when absent

  // The parent must outlive the child. at(): of an array, in range; meant to be called for one
  // index after another, others take as many steps as they are large.
  Field operator[](std::string_view key) const;
  Field at(std::size_t index) const;

  std::string path() const;
  // "path: expected WHAT, found a number", or "path: Field required" when it is absent.
  tl::unexpected<Error> expected(std::string_view what) const;
  // "path: WHY".
  tl::unexpected<Error> refused(std::string_view why) const;

  // Each fails on another type. optional_*: nothing when the field is absent or null.
  Result<std::string> string() const;
  Result<std::string> string_or(std::string_view fallback) const;
  Result<bool> bool_or(bool fallback) const;
  Result<std::optional<std::int64_t>> optional_integer() const;  // 3.0 counts as an integer
  Result<std::optional<double>> optional_number() const;
  Result<std::vector<std::string>> strings() const;  // absent: none

  // As optional_*, and within [low, high].
  Result<std::optional<std::int64_t>> integer_within(std::int64_t low, std::int64_t high) const;
  Result<std::optional<double>> number_within(double low, double high) const;

 private:
  Field(JsonView value, PathStyle style, const Field* parent, std::string_view key,
        std::size_t index)
      : value_(value), style_(style), parent_(parent), key_(key), index_(index) {}

  JsonView value_;
  mutable JsonView::Items items_;    // where at() was last
  mutable std::size_t next_at_ = 0;  // the index of what they give next
  PathStyle style_ = PathStyle::kDots;
  const Field* parent_ = nullptr;
  std::string_view key_ = {};
  std::size_t index_ = 0;
};

// "a string", "an array", "null", ...
std::string_view json_type(JsonView value);

}  // namespace tophand::chat

// Field errors already name their place, so unlike TOPHAND_TRY these add no step in front.
#define TOPHAND_FIELD(name, expr)                                      \
  auto name##_or = (expr);                                             \
  if (!name##_or) return tl::unexpected(std::move(name##_or).error()); \
  auto& name = *name##_or  // NOLINT(bugprone-macro-parentheses): the name of a declaration

#define TOPHAND_FIELD_CHECK(expr)                                                              \
  do {                                                                                         \
    if (auto checked_ = (expr); !checked_) return tl::unexpected(std::move(checked_).error()); \
  } while (false)
