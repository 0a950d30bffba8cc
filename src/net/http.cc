#include "net/http.h"

#include <algorithm>
#include <utility>

#include "net/head.h"

namespace tophand::net {

bool Headers::add(std::string_view name, std::string_view value) {
  if (!is_token(name) || !is_field_value(value)) return false;
  add_checked(name, value);
  return true;
}

void Headers::add_checked(std::string_view name, std::string_view value) {
  constexpr std::size_t kUsual = 12;  // of a message
  if (items_.empty()) items_.reserve(kUsual);
  Header& made = items_.emplace_back();
  made.name.assign(name);
  made.value.assign(value);
}

bool Headers::set(std::string_view name, std::string_view value) {
  if (!is_token(name) || !is_field_value(value)) return false;
  if (find(name)) {
    Header made{std::string(name), std::string(value)};  // either may be a part of what goes
    erase(name);
    items_.push_back(std::move(made));
  } else {
    add_checked(name, value);
  }
  return true;
}

void Headers::erase(std::string_view name) {
  std::erase_if(items_, [&](const Header& h) { return equals_ignoring_case(h.name, name); });
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (const Header& header : items_)
    if (equals_ignoring_case(header.name, name)) return header.value;
  return std::nullopt;
}

std::string_view Headers::get(std::string_view name, std::string_view fallback) const {
  return find(name).value_or(fallback);
}

}  // namespace tophand::net
