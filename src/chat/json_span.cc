#include "chat/json_span.h"

#include <cstdint>

namespace tophand::chat {
namespace {

// Reads forward over JSON text. Every skip_* leaves `at` behind what it skipped and returns false
// when the text is not what it should be.
struct Scanner {
  std::string_view text;
  std::size_t at = 0;

  bool more() const { return at < text.size(); }
  char peek() const { return text[at]; }

  void skip_space() {
    while (more() && (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r')) ++at;
  }

  bool skip_char(char wanted) {
    skip_space();
    if (!more() || peek() != wanted) return false;
    ++at;
    return true;
  }

  bool skip_string() {
    if (!skip_char('"')) return false;
    std::size_t quote = text.find('"', at);
    for (;;) {
      if (quote == std::string_view::npos) return false;
      const std::size_t escape = text.substr(0, quote).find('\\', at);
      at = escape == std::string_view::npos ? quote + 1 : escape + 2;
      if (escape == std::string_view::npos) return true;
      if (at > quote) quote = text.find('"', at);  // it was the escaped one
    }
  }

  // Any value: nested brackets are counted, strings skipped as wholes.
  bool skip_value() {
    skip_space();
    if (!more()) return false;
    if (peek() == '"') return skip_string();
    if (peek() != '{' && peek() != '[') return skip_scalar();
    std::size_t depth = 0;
    while (more()) {
      const char c = peek();
      if (c == '"') {
        if (!skip_string()) return false;
        continue;
      }
      ++at;
      if (c == '{' || c == '[') ++depth;
      else if ((c == '}' || c == ']') && --depth == 0) return true;
    }
    return false;
  }

  bool skip_scalar() {
    constexpr std::string_view kEnds = ",]} \t\r\n:\"[{";
    const std::size_t begin = at;
    while (more() && kEnds.find(peek()) == std::string_view::npos) ++at;
    return at > begin;
  }

  std::optional<Span> value() {
    skip_space();
    const std::size_t begin = at;
    if (!skip_value()) return std::nullopt;
    return Span{begin, at};
  }
};

std::optional<unsigned> hex4(std::string_view digits) {
  if (digits.size() < 4) return std::nullopt;
  unsigned out = 0;
  for (const char c : digits.substr(0, 4)) {
    out <<= 4;
    if (c >= '0' && c <= '9') out += static_cast<unsigned>(c - '0');
    else if (c >= 'a' && c <= 'f') out += static_cast<unsigned>(c - 'a' + 10);
    else if (c >= 'A' && c <= 'F') out += static_cast<unsigned>(c - 'A' + 10);
    else return std::nullopt;
  }
  return out;
}

// The character a one-letter escape stands for.
std::optional<char> simple_escape(char letter) {
  switch (letter) {
    case '"':
    case '\\':
    case '/':
      return letter;
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<std::vector<Member>> object_members(std::string_view text, Span within) {
  Scanner scan{text.substr(0, within.end), within.begin};
  if (scan.at == 0 && scan.text.starts_with(kByteOrderMark)) scan.at = kByteOrderMark.size();
  std::vector<Member> out;
  if (!scan.skip_char('{')) return std::nullopt;
  if (scan.skip_char('}')) return out;
  do {
    const auto key = scan.value();
    if (!key || text[key->begin] != '"' || !scan.skip_char(':')) return std::nullopt;
    const auto value = scan.value();
    if (!value) return std::nullopt;
    out.push_back({*key, *value});
  } while (scan.skip_char(','));
  if (!scan.skip_char('}')) return std::nullopt;
  return out;
}

std::optional<std::vector<Span>> array_elements(std::string_view text, Span within) {
  Scanner scan{text.substr(0, within.end), within.begin};
  std::vector<Span> out;
  if (!scan.skip_char('[')) return std::nullopt;
  if (scan.skip_char(']')) return out;
  do {
    const auto value = scan.value();
    if (!value) return std::nullopt;
    out.push_back(*value);
  } while (scan.skip_char(','));
  if (!scan.skip_char(']')) return std::nullopt;
  return out;
}

// Keys we look for are ASCII, so an escape beyond ASCII is simply another string.
bool string_spells(std::string_view quoted, std::string_view plain) {
  if (quoted.size() < 2 || quoted.front() != '"' || quoted.back() != '"') return false;
  std::string_view rest = quoted.substr(1, quoted.size() - 2);
  for (const char wanted : plain) {
    if (rest.empty()) return false;
    char found = rest.front();
    std::size_t used = 1;
    if (found == '\\') {
      if (rest.size() < 2) return false;
      used = 2;
      if (rest[1] == 'u') {
        const auto code = hex4(rest.substr(2));
        if (!code || *code > 0x7F) return false;
        found = static_cast<char>(*code);
        used = 6;
      } else if (const auto simple = simple_escape(rest[1])) {
        found = *simple;
      } else {
        return false;
      }
    }
    if (found != wanted) return false;
    rest.remove_prefix(used);
  }
  return rest.empty();
}

std::size_t count_top_level_key(std::string_view json, std::string_view key) {
  const auto members = object_members(json, {0, json.size()});
  std::size_t count = 0;
  if (members)
    for (const Member& member : *members)
      if (string_spells(json.substr(member.key.begin, member.key.end - member.key.begin), key))
        ++count;
  return count;
}

std::optional<Span> find_top_level_value(std::string_view json, std::string_view key) {
  const auto members = object_members(json, {0, json.size()});
  if (!members) return std::nullopt;
  std::optional<Span> found;
  for (const Member& member : *members) {
    if (!string_spells(json.substr(member.key.begin, member.key.end - member.key.begin), key))
      continue;
    if (found) return std::nullopt;
    found = member.value;
  }
  return found;
}

}  // namespace tophand::chat
