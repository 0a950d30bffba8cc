#include "chat/tool_id.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstddef>

#include "base/ascii.h"
#include "base/hex.h"

namespace tophand::chat {
namespace {

constexpr std::string_view kMark = "x-";

bool is_plain(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
}

}  // namespace

std::string wire_tool_id(std::string_view id) {
  if (!id.empty() && !begins_with(id, kMark) && std::ranges::all_of(id, is_plain))
    return std::string(id);
  std::string out(kMark);
  for (const char c : id) {
    if (is_plain(c) && c != '-') {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '-';
    out += to_hex({&byte, 1});
  }
  return out;
}

std::string tool_id_from_wire(std::string_view id) {
  if (!begins_with(id, kMark)) return std::string(id);
  std::string out;
  std::string_view rest = id.substr(kMark.size());
  while (!rest.empty()) {
    unsigned byte = static_cast<unsigned char>(rest.front());
    std::size_t taken = 1;
    if (byte == '-' && rest.size() > 2 &&
        std::from_chars(rest.data() + 1, rest.data() + 3, byte, 16).ptr == rest.data() + 3)
      taken = 3;
    out += static_cast<char>(byte);
    rest.remove_prefix(taken);
  }
  return wire_tool_id(out) == id ? out : std::string(id);
}

}  // namespace tophand::chat
