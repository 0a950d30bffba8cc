#include "text/json_spacing.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

#include "text/unicode.h"

namespace tophand::text {
namespace {

constexpr std::size_t kOneLine = 0;

bool is_json_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// The four hex digits of "\\uXXXX" at `at`, where they are there.
std::optional<std::uint32_t> code_unit(std::string_view json, std::size_t at) {
  if (at + 6 > json.size() || json[at] != '\\' || json[at + 1] != 'u') return std::nullopt;
  std::uint32_t value = 0;
  const char* const end = json.data() + at + 6;
  const auto [rest, error] = std::from_chars(end - 4, end, value, 16);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

// A character of a string as json.dumps prints it.
void put_character(std::uint32_t c, std::string& out) {
  constexpr std::string_view kShort = "\"\\\n\r\t\b\f", kNames = "\"\\nrtbf";
  const std::size_t found = c < 128 ? kShort.find(static_cast<char>(c)) : std::string_view::npos;
  if (found != std::string_view::npos) {
    out += '\\';
    out += kNames[found];
  } else if (c < 0x20) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    out += "\\u00";
    out += kDigits[c >> 4];
    out += kDigits[c & 15];
  } else {
    append_utf8(c, out);
  }
}

// Copies the escape at `at`; returns the offset behind it. Half of a surrogate pair stays as it is.
std::size_t copy_escape(std::string_view json, std::size_t at, std::string& out) {
  const auto high = code_unit(json, at);
  if (!high) {
    if (json.substr(at, 2) == "\\/") out += '/';
    else out += json.substr(at, 2);
    return std::min(at + 2, json.size());
  }
  if (*high < 0xD800 || *high > 0xDFFF) {
    put_character(*high, out);
    return at + 6;
  }
  const auto low = code_unit(json, at + 6);
  if (*high <= 0xDBFF && low && *low >= 0xDC00 && *low <= 0xDFFF) {
    put_character(0x10000 + ((*high - 0xD800) << 10) + (*low - 0xDC00), out);
    return at + 12;
  }
  out += json.substr(at, 6);
  return at + 6;
}

// Copies the string literal that starts at `at`; returns the offset behind it.
std::size_t copy_string(std::string_view json, std::size_t at, std::string& out) {
  out += json[at++];
  while (at < json.size()) {
    if (json[at] == '\\') {
      at = copy_escape(json, at, out);
      continue;
    }
    out += json[at++];
    if (json[at - 1] == '"') break;
  }
  return at;
}

class Spacer {
 public:
  explicit Spacer(std::size_t indent) : indent_(indent) {}

  std::string run(std::string_view json) {
    for (std::size_t at = 0; at < json.size();) {
      const char c = json[at];
      if (is_json_space(c)) {
        ++at;
        continue;
      }
      if (just_opened_ && c != ']' && c != '}') new_line();
      if (c == '"') {
        just_opened_ = false;
        at = copy_string(json, at, out_);
        continue;
      }
      put(c);
      ++at;
    }
    return std::move(out_);
  }

 private:
  void put(char c) {
    const bool opens = c == '{' || c == '[', closes = c == '}' || c == ']';
    if (closes && depth_ > 0) --depth_;
    if (closes && !just_opened_) new_line();
    out_ += c;
    if (opens && depth_ < kDepthMax) ++depth_;
    just_opened_ = opens;
    if (c == ':') out_ += ' ';
    if (c == ',' && indent_ == kOneLine) out_ += ' ';
    if (c == ',') new_line();
  }
  void new_line() {
    if (indent_ == kOneLine) return;
    out_ += '\n';
    out_.append(depth_ * indent_, ' ');
  }

  // Deeper levels are not indented further, so that the output stays linear in the input.
  static constexpr std::size_t kDepthMax = 64;
  std::size_t indent_, depth_ = 0;
  bool just_opened_ = false;
  std::string out_;
};

}  // namespace

std::string space_json(std::string_view json) {
  return Spacer(kOneLine).run(json);
}

std::string indent_json(std::string_view json, std::size_t indent) {
  return Spacer(indent).run(json);
}

}  // namespace tophand::text
