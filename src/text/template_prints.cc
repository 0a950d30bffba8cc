#include "text/template_prints.h"

#include <algorithm>

namespace tophand::text {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

bool is_name(char c) {
  return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// The string that begins at code[at], a quote; moves `at` behind it, or to the end of the code.
std::string read_string(std::string_view code, std::size_t& at) {
  const char quote = code[at++];
  std::string out;
  for (; at < code.size(); ++at) {
    if (code[at] == quote) {
      ++at;
      break;
    }
    char c = code[at];
    if (c == '\\' && at + 1 < code.size()) {
      c = code[++at];
      if (c == 'n') c = '\n';
      if (c == 't') c = '\t';
    }
    out += c;
  }
  return out;
}

// One expression, token by token. Parentheses that only group are passed over; calls, lists and
// indices are part of the expression they stand in, and what is in them is not printed.
class Expression {
 public:
  Expression(std::string_view code, std::set<std::string>& out) : code_(code), out_(out) {}

  void read() {
    while (skip_space(), at_ < code_.size()) {
      const char c = code_[at_];
      if (c == '\'' || c == '"') {
        now_ += read_string(code_, at_);
        after_operand_ = true;
      } else if (is_name(c)) {
        read_name();
      } else if (c == '[' || c == '{' || (c == '(' && after_operand_)) {
        if (!after_operand_) hole();
        if (skip_brackets().find("role") != std::string_view::npos) name_a_role();
        after_operand_ = true;
      } else {
        if (c != '(' && c != ')') after_operand_ = false;
        ++at_;
      }
    }
    finish();
  }

 private:
  void skip_space() {
    while (at_ < code_.size() && kSpace.find(code_[at_]) != std::string_view::npos) ++at_;
  }
  std::string_view name() {
    const std::size_t begin = at_;
    while (at_ < code_.size() && is_name(code_[at_])) ++at_;
    return code_.substr(begin, at_ - begin);
  }

  void read_name() {
    const bool attribute = at_ > 0 && (code_[at_ - 1] == '.' || code_[at_ - 1] == '|');
    const std::string_view word = name();
    if (word == "if") {
      skip_condition();
      finish();
      after_operand_ = false;
      return;
    }
    if (word == "eos_token") now_ += kEndOfText;
    else if (!attribute) hole();
    if (word == "role") name_a_role();
    after_operand_ = true;
  }

  // To behind the `else` of the `if` that was just read, or to where its group ends.
  void skip_condition() {
    while (skip_space(), at_ < code_.size() && code_[at_] != ')') {
      if (code_[at_] == '\'' || code_[at_] == '"') {
        (void)read_string(code_, at_);
      } else if (is_name(code_[at_])) {
        if (name() == "else") return;
      } else if (code_[at_] == '(' || code_[at_] == '[' || code_[at_] == '{') {
        (void)skip_brackets();
      } else {
        ++at_;
      }
    }
  }

  std::string_view skip_brackets() {
    const std::size_t begin = at_;
    for (int depth = 0; at_ < code_.size();) {
      const char c = code_[at_];
      if (c == '\'' || c == '"') {
        (void)read_string(code_, at_);
        continue;
      }
      ++at_;
      if (c == '(' || c == '[' || c == '{') ++depth;
      if ((c == ')' || c == ']' || c == '}') && --depth <= 0) break;
    }
    return code_.substr(begin, at_ - begin);
  }

  // Three in a row are as good as more.
  void hole() {
    const bool enough = now_.size() >= 3 && now_.find_last_not_of("\x01\x03") + 3 < now_.size();
    if ((!after_operand_ || now_.empty()) && !enough) now_ += kHole;
  }
  void name_a_role() {
    if (now_.ends_with(kHole)) now_.back() = kRoleHole;
  }
  void finish() {
    if (!now_.empty()) out_.insert(std::move(now_));
    now_.clear();
  }

  std::string_view code_;
  std::set<std::string>& out_;
  std::size_t at_ = 0;
  std::string now_;
  bool after_operand_ = false;
};

std::string_view cut_back(std::string_view text, std::string_view what) {
  return text.substr(0, text.find_last_not_of(what) + 1);  // npos + 1 is 0
}
std::string_view cut_front(std::string_view text, std::string_view what) {
  return text.substr(std::min(text.find_first_not_of(what), text.size()));
}

struct Tag {
  std::size_t begin, end;  // with its braces
  char kind;               // '{', '%' or '#'
  std::string_view code;
};

// The next tag from `at` on; one with `begin` at the text's end: there is none.
Tag next_tag(std::string_view jinja, std::size_t at) {
  for (;; ++at) {
    at = jinja.find('{', at);
    if (at == std::string_view::npos || at + 1 >= jinja.size())
      return {jinja.size(), jinja.size(), ' ', {}};
    const char kind = jinja[at + 1];
    if (kind != '{' && kind != '%' && kind != '#') continue;
    const char close = kind == '{' ? '}' : kind;
    std::size_t end = at + 2;
    while (end + 1 < jinja.size() && !(jinja[end] == close && jinja[end + 1] == '}')) {
      if (kind != '#' && (jinja[end] == '\'' || jinja[end] == '"')) (void)read_string(jinja, end);
      else ++end;
    }
    const std::size_t past = std::min(end + 2, jinja.size());
    return {at, past, kind, jinja.substr(at + 2, std::min(end, jinja.size()) - at - 2)};
  }
}

// Text in front of a tag: {%- takes all white space, a block or comment the blanks of its line.
std::string_view before(const Tag& tag, std::string_view text, bool at_begin) {
  if (tag.code.starts_with('-')) return cut_back(text, kSpace);
  if (tag.kind == '{' || tag.code.starts_with('+')) return text;
  const std::string_view cut = cut_back(text, " \t");
  return cut.ends_with('\n') || (cut.empty() && at_begin) ? cut : text;
}

}  // namespace

std::set<std::string> template_prints(std::string_view jinja) {
  if (jinja.ends_with('\n')) jinja.remove_suffix(1);  // as jinja2 does
  std::set<std::string> out;
  for (std::size_t at = 0; at < jinja.size();) {
    const Tag tag = next_tag(jinja, at);
    const bool is_tag = tag.begin < jinja.size();
    std::string_view text = jinja.substr(at, tag.begin - at);
    if (is_tag) text = before(tag, text, at == 0);
    if (!text.empty()) out.emplace(text);
    if (!is_tag) break;

    std::string_view code = tag.code;
    const bool cuts = code.ends_with('-');
    if (cuts) code.remove_suffix(1);
    code = cut_front(code, "-+ \t\r\n");
    if (tag.kind == '%' && code.starts_with("set")) {
      const std::size_t equals = code.find('=');
      if (equals != std::string_view::npos) Expression(code.substr(equals + 1), out).read();
    } else if (tag.kind == '{') {
      Expression(code, out).read();
    }
    at = tag.end;
    if (cuts) at = std::min(jinja.find_first_not_of(kSpace, at), jinja.size());
    else if (tag.kind != '{' && jinja.substr(at).starts_with('\n')) ++at;
  }
  return out;
}

}  // namespace tophand::text
