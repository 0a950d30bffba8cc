#include "net/query.h"

#include <algorithm>
#include <charconv>

#include "net/head.h"

namespace tophand::net {

std::optional<std::string> query_text(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=')
      return decode_path(pair.substr(name.size() + 1));
  }
  return std::nullopt;
}

std::optional<std::int64_t> query_int(std::string_view query, std::string_view name) {
  const auto digits = query_text(query, name);
  if (!digits) return std::nullopt;
  const char* const end = digits->data() + digits->size();
  std::int64_t value = 0;
  const auto parsed = std::from_chars(digits->data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return value;
}

std::string query_escaped(std::string_view value) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : value) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    const auto byte = static_cast<unsigned char>(c);
    if (plain) out += c;
    else ((out += '%') += kDigits[byte >> 4]) += kDigits[byte & 15];
  }
  return out;
}

}  // namespace tophand::net
