#include "text/json_spacing.h"

namespace tophand::text {
namespace {

constexpr std::size_t kOneLine = 0;

bool is_json_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Copies the string literal that starts at `at`; returns the offset behind it.
std::size_t copy_string(std::string_view json, std::size_t at, std::string& out) {
  out += json[at++];
  while (at < json.size()) {
    const char c = json[at++];
    out += c;
    if (c == '\\' && at < json.size()) out += json[at++];
    else if (c == '"') break;
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
