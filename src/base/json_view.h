// JSON that is read and thrown away: requests, answers, events. A view looks at what the parser
// left behind, so that no tree is built and taken apart, which were a tenth of what the gateway did
// for a request. A tree can be looked at in the same way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/json_fwd.h"
#include "base/result.h"

namespace tophand {

// A value, or nothing. Two words; what it looks at must outlive it.
class JsonView {
 public:
  JsonView() = default;  // nothing: what a member that is missing is
  // A tree can stand wherever a view is asked for.
  JsonView(const Json& tree) : base_(&tree) {}  // NOLINT(google-explicit-constructor)

  enum class Kind : std::uint8_t { kNull, kBoolean, kInteger, kNumber, kString, kArray, kObject };

  bool is_there() const { return base_ != nullptr; }
  Kind kind() const;  // of nothing: kNull
  bool is_null() const { return kind() == Kind::kNull; }
  bool is_object() const { return kind() == Kind::kObject; }
  bool is_array() const { return kind() == Kind::kArray; }
  bool is_string() const { return kind() == Kind::kString; }
  bool is_boolean() const { return kind() == Kind::kBoolean; }
  bool is_number() const { return is_integer() || kind() == Kind::kNumber; }
  bool is_integer() const { return kind() == Kind::kInteger; }  // no point, and within 64 bits

  // Of an object: the member, of equal keys the last; else nothing.
  JsonView operator[](std::string_view key) const;
  // Members, equal keys as often as they stand there, or items; of anything else 0.
  std::size_t size() const;

  // The fallback when it is of another type. integer(): numbers with a point are cut off.
  std::string_view string(std::string_view fallback = "") const;
  bool boolean(bool fallback) const;
  double number(double fallback) const;
  std::int64_t integer(std::int64_t fallback) const;
  bool exceeds_int64() const;  // a whole number above what std::int64_t holds

  // The items of an array one after another: it knows only what comes next. Of others none.
  class Items;
  Items items() const;
  class Iterator;
  Iterator begin() const;
  std::default_sentinel_t end() const { return {}; }

  Json tree() const;  // for what is passed on, or kept

 private:
  friend class JsonDocument;
  JsonView(const void* document, std::size_t at) : base_(document), at_(at) {}
  const Json* as_tree() const { return at_ == 0 ? static_cast<const Json*>(base_) : nullptr; }

  const void* base_ = nullptr;  // a tree; or simdjson's document,
  std::size_t at_ = 0;          // and the place in it, which is never 0
};

class JsonView::Items {
 public:
  JsonView next();  // nothing at the end

 private:
  friend class JsonView;
  const void* base_ = nullptr;  // as a view's; nullptr: no array
  std::size_t at_ = 0, end_ = 0;
  bool is_tree_ = false;
};

class JsonView::Iterator {
 public:
  explicit Iterator(Items items) : items_(items), item_(items_.next()) {}
  JsonView operator*() const { return item_; }
  Iterator& operator++() {
    item_ = items_.next();
    return *this;
  }
  bool operator==(std::default_sentinel_t) const { return !item_.is_there(); }

 private:
  Items items_;
  JsonView item_;
};

inline JsonView::Iterator JsonView::begin() const {
  return Iterator(items());
}

// A parsed text. The views of it end with it.
class JsonDocument {
 public:
  // As parse_json(). `may_repeat`: false where it is sure that no key of the outermost object
  // stands there twice.
  static Result<JsonDocument> parse(std::string_view text, JsonLimits limits = {});
  static Result<JsonDocument> parse(std::string_view text, bool& may_repeat,
                                    JsonLimits limits = {});
  JsonDocument(JsonDocument&& other) noexcept;
  JsonDocument& operator=(JsonDocument&&) = delete;
  ~JsonDocument();

  JsonView root() const { return tree_ ? JsonView(*tree_) : root_; }

 private:
  JsonDocument();

  void* parser_ = nullptr;      // simdjson's, borrowed: the document is in it
  JsonView root_;               // into that
  std::unique_ptr<Json> tree_;  // of a text that simdjson would not read
};

// As those of json.h.
std::string_view string_or(JsonView object, std::string_view key, std::string_view fallback);
std::int64_t int_or(JsonView object, std::string_view key, std::int64_t fallback);
double number_or(JsonView object, std::string_view key, double fallback);

}  // namespace tophand
