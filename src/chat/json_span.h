// Finding values in JSON text without parsing it into a tree, so that a body can be forwarded byte
// for byte but for the few values we replace. Linear, no recursion, exact about strings and
// escapes. Meant for text that parse_json has accepted: on other text the results are merely safe.
// Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tophand::chat {

// Some programs begin a text in UTF-8 with it. It is no part of the JSON and may be ignored (RFC
// 8259, 8.1): the functions below pass over it in front of the whole text.
inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Bytes [begin, end) of the text it was found in.
struct Span {
  std::size_t begin = 0, end = 0;
};

struct Member {
  Span key;  // with its quotes
  Span value;
};

// The members of the object that is `text`[within], in order. Nothing when it is not an object.
std::optional<std::vector<Member>> object_members(std::string_view text, Span within);
// The elements of the array that is `text`[within], in order. Nothing when it is not an array.
std::optional<std::vector<Span>> array_elements(std::string_view text, Span within);

// Whether a quoted JSON string spells `plain`, escapes decoded ("mod\u0065l" is "model").
bool string_spells(std::string_view quoted, std::string_view plain);

std::size_t count_top_level_key(std::string_view json, std::string_view key);

// Where a top-level key's value lies in a JSON object. Nothing when the key is missing, or given
// more than once: readers of JSON disagree about which one counts, so it must not be replaced.
std::optional<Span> find_top_level_value(std::string_view json, std::string_view key);

}  // namespace tophand::chat
