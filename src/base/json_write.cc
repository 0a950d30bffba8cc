// Writing JSON: the same bytes as nlohmann's dump(), whose writer decodes each character on its own
// and took a quarter of the gateway's time.
#include <simdjson.h>

#include <charconv>
#include <cstring>

#include "base/json.h"
#include "base/json_text.h"

namespace tophand {
namespace {

constexpr std::uint64_t kOnes = 0x0101'0101'0101'0101, kHighBits = 0x8080'8080'8080'8080;

bool is_plain(char c) {
  return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\';
}

std::uint64_t eight_at(std::string_view text, std::size_t at) {
  std::uint64_t eight;
  std::memcpy(&eight, text.data() + at, sizeof eight);
  return eight;
}

// The high bit of a byte that is zero; others may be marked too, but only above one that is.
std::uint64_t zero_bytes(std::uint64_t eight) {
  return (eight - kOnes) & ~eight & kHighBits;
}

// Eight bytes at once, as most strings need no escape: the first byte from `at` on that does.
std::size_t find_escape(std::string_view text, std::size_t at) {
  for (; at + 8 <= text.size(); at += 8) {
    const std::uint64_t eight = eight_at(text, at);
    const std::uint64_t control = (eight - kOnes * 0x20) & ~eight & kHighBits;
    const std::uint64_t marks = zero_bytes(eight ^ kOnes * '"') | zero_bytes(eight ^ kOnes * '\\');
    if ((control | marks) != 0) break;
  }
  while (at < text.size() && is_plain(text[at])) ++at;
  return at;
}

bool is_ascii(std::string_view text) {
  std::uint64_t any = 0;
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) any |= eight_at(text, at);
  for (; at < text.size(); ++at) any |= static_cast<unsigned char>(text[at]);
  return (any & kHighBits) == 0;
}

void write_escape(char c, std::string& out) {
  constexpr std::string_view kHex = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[static_cast<unsigned char>(c) & 15];
  }
}

}  // namespace

bool is_utf8(std::string_view text) {
  return is_ascii(text) || simdjson::validate_utf8(text);
}

void append_json_string(std::string_view text, std::string& out) {
  if (!is_utf8(text)) {
    out += Json(std::string(text)).dump(-1, ' ', false, Json::error_handler_t::replace);
    return;
  }
  out += '"';
  for (std::size_t plain = 0;;) {  // what stands before it has been written
    const std::size_t at = find_escape(text, plain);
    out.append(text.substr(plain, at - plain));
    if (at == text.size()) break;
    write_escape(text[at], out);
    plain = at + 1;
  }
  out += '"';
}

namespace {

template <class Integer>
void write_integer(Integer number, std::string& out) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}

void write(const Json& value, std::string& out) {
  switch (value.type()) {
    case Json::value_t::object: {
      char before = '{';
      for (const auto& [key, member] : value.get_ref<const Json::object_t&>()) {
        out += before;
        append_json_string(key, out);
        out += ':';
        write(member, out);
        before = ',';
      }
      out += before == '{' ? "{}" : "}";
      return;
    }
    case Json::value_t::array: {
      char before = '[';
      for (const Json& item : value.get_ref<const Json::array_t&>()) {
        out += before;
        write(item, out);
        before = ',';
      }
      out += before == '[' ? "[]" : "]";
      return;
    }
    case Json::value_t::string:
      return append_json_string(value.get_ref<const std::string&>(), out);
    case Json::value_t::number_integer:
      return write_integer(value.get<std::int64_t>(), out);
    case Json::value_t::number_unsigned:
      return write_integer(value.get<std::uint64_t>(), out);
    case Json::value_t::boolean:
      out += value.get<bool>() ? "true" : "false";
      return;
    case Json::value_t::null:
      out += "null";
      return;
    default:  // numbers with a point, which are rare and have rules of their own
      out += value.dump();
  }
}

}  // namespace

JsonText& JsonText::number(std::int64_t value) {
  separate();
  write_integer(value, out_);
  return *this;
}

std::string dump_json(const Json& value) {
  std::string out;
  write(value, out);
  return out;
}

}  // namespace tophand
