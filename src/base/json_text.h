// JSON written straight into a string, without a tree: for answers and events, of which every
// request writes some. The bytes are those of dump_json() for the same values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tophand {

// The string in quotes, with what must be escaped escaped. Invalid UTF-8 becomes U+FFFD.
void append_json_string(std::string_view text, std::string& out);

bool is_utf8(std::string_view text);

// Writes one value. The caller closes what it opens and gives every member a key:
//   JsonText json(out);
//   json.open('{').key("n").number(1).key("of").open('[').string("a").close(']').close('}');
class JsonText {
 public:
  explicit JsonText(std::string& out) : out_(out) {}

  JsonText& open(char bracket) {
    separate();
    out_ += bracket;
    first_ = true;
    return *this;
  }
  JsonText& close(char bracket) {
    out_ += bracket;
    first_ = false;
    return *this;
  }
  // `name`: plain ASCII, as ours are; it is not escaped.
  JsonText& key(std::string_view name);
  JsonText& string(std::string_view text) {
    separate();
    append_json_string(text, out_);
    return *this;
  }
  // A value as it stands: a literal, or JSON that is known to be valid.
  JsonText& raw(std::string_view json) {
    separate();
    out_ += json;
    return *this;
  }
  JsonText& null() { return raw("null"); }
  JsonText& boolean(bool value) { return raw(value ? "true" : "false"); }
  JsonText& number(std::int64_t value);

 private:
  // A comma, unless nothing stands before in this bracket, or a key does.
  void separate() {
    if (!first_) out_ += ',';
    first_ = false;
  }

  std::string& out_;
  bool first_ = true;
};

}  // namespace tophand
