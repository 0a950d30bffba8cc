#include "text/json_spacing.h"

#include <algorithm>
#include <cstdint>

#include "base/json_escape.h"
#include "base/json_text.h"
#include "text/unicode.h"

namespace tophand::text {
namespace {

constexpr std::size_t kOneLine = 0;

bool is_json_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// A character of a string as json.dumps prints it.
void put_character(std::uint32_t c, std::string& out) {
  std::string utf8, quoted;
  append_utf8(c, utf8);
  append_json_string(utf8, quoted);
  out.append(quoted, 1, quoted.size() - 2);
}

// Copies the escape at `at`; returns the offset behind it. Half of a surrogate pair stays as it is.
std::size_t copy_escape(std::string_view json, std::size_t at, std::string& out) {
  const auto unit = escaped_unit(json, at);
  if (!unit) {
    if (json.substr(at, 2) == "\\/") out += '/';
    else out += json.substr(at, 2);
    return std::min(at + 2, json.size());
  }
  const std::size_t behind = at + kUnitEscapeBytes;
  if (!is_first_half(*unit) && !is_second_half(*unit)) {
    put_character(*unit, out);
    return behind;
  }
  const auto next = escaped_unit(json, behind);
  if (is_first_half(*unit) && next && is_second_half(*next)) {
    put_character(0x10000 + ((*unit - 0xd800U) << 10) + (*next - 0xdc00U), out);
    return behind + kUnitEscapeBytes;
  }
  out += json.substr(at, kUnitEscapeBytes);
  return behind;
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
