// Writing JSON: the same bytes as nlohmann's dump(), whose writer decodes each character on its own
// and took a quarter of the gateway's time.
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>

#include "base/eight_bytes.h"
#include "base/json.h"
#include "base/json_text.h"

namespace tophand {
namespace {

bool is_plain(char c) {
  return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\';
}

// As bytes_below(), of what must be escaped.
std::uint64_t escapes_in(std::uint64_t eight) {
  return bytes_below(eight, 0x20) | bytes_equal(eight, '"') | bytes_equal(eight, '\\');
}

bool is_ascii(std::string_view text) {
  std::uint64_t any = 0;
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) any |= eight_at(text.data() + at);
  for (; at < text.size(); ++at) any |= static_cast<unsigned char>(text[at]);
  return (any & kHighBits) == 0;
}

constexpr std::size_t kEscapedBytesMax = 6;  // \u001f

// Returns the end of what it wrote.
char* write_escape(char c, char* to) {
  constexpr std::string_view kHex = "0123456789abcdef";
  constexpr std::string_view kNamed = "\"\\\b\f\n\r\t", kNames = "\"\\bfnrt";
  *to++ = '\\';
  if (const std::size_t at = kNamed.find(c); at != std::string_view::npos) {
    *to++ = kNames[at];
    return to;
  }
  for (const char digit : {'u', '0', '0', kHex[static_cast<unsigned char>(c) >> 4],
                           kHex[static_cast<unsigned char>(c) & 15]})
    *to++ = digit;
  return to;
}

// Eight bytes at once, as few need an escape. There is room for all of them escaped.
char* write_escaped(std::string_view text, char* to) {
  static_assert(std::endian::native == std::endian::little);
  std::size_t at = 0;
  while (at + 8 <= text.size()) {
    const std::uint64_t eight = eight_at(text.data() + at);
    std::memcpy(to, &eight, sizeof eight);
    const std::uint64_t escapes = escapes_in(eight);
    const std::size_t plain = static_cast<std::size_t>(std::countr_zero(escapes)) / 8;  // 8: all
    to += plain;
    at += plain;
    if (escapes != 0) to = write_escape(text[at++], to);
  }
  for (; at < text.size(); ++at) {
    if (is_plain(text[at])) *to++ = text[at];
    else to = write_escape(text[at], to);
  }
  return to;
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
  constexpr std::size_t kPieceBytes = 512;
  std::array<char, kPieceBytes * kEscapedBytesMax + 2> piece;  // not zeroed
  if (text.size() > kPieceBytes) out.reserve(out.size() + text.size() + 2);
  piece[0] = '"';
  for (char* begin = piece.data() + 1;; begin = piece.data()) {
    const std::size_t bytes = std::min(text.size(), kPieceBytes);
    char* end = write_escaped(text.substr(0, bytes), begin);
    text.remove_prefix(bytes);
    if (text.empty()) *end++ = '"';
    out.append(piece.data(), static_cast<std::size_t>(end - piece.data()));
    if (text.empty()) return;
  }
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

// In one piece: a request writes some sixty keys.
JsonText& JsonText::key(std::string_view name) {
  constexpr std::size_t kPieceBytes = 64;
  std::array<char, kPieceBytes> piece;  // not zeroed
  char* to = piece.data();
  if (!first_) *to++ = ',';
  *to++ = '"';
  if (name.size() + 4 <= kPieceBytes) {
    std::memcpy(to, name.data(), name.size());
    to += name.size();
  } else {
    out_.append(piece.data(), to);
    out_ += name;
    to = piece.data();
  }
  *to++ = '"';
  *to++ = ':';
  out_.append(piece.data(), static_cast<std::size_t>(to - piece.data()));
  first_ = true;
  return *this;
}

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
