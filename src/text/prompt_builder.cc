#include "text/prompt_builder.h"

#include "text/unicode.h"

namespace tophand::text {
namespace {

bool is_python_space(std::uint32_t c) {
  return classify(c) == CharClass::kSpace || (c >= 0x1C && c <= 0x1F);
}

}  // namespace

Prompt& Prompt::add(std::string_view text, bool trusted) {
  if (text.empty()) return *this;
  if (!segments_.empty() && segments_.back().trusted == trusted) segments_.back().text += text;
  else segments_.push_back({std::string(text), trusted});
  return *this;
}

const Turn* Conversation::system() const {
  return !turns.empty() && turns[0].role == Role::kSystem ? &turns[0] : nullptr;
}

std::size_t Conversation::last_user() const {
  for (std::size_t i = turns.size(); i > 0; --i)
    if (turns[i - 1].role == Role::kUser) return i - 1;
  return turns.size();
}

std::string_view role_name(Role role) {
  switch (role) {
    case Role::kSystem:
      return "system";
    case Role::kUser:
      return "user";
    case Role::kAssistant:
      return "assistant";
    case Role::kTool:
      return "tool";
  }
  return "user";
}

std::string_view trimmed_front(std::string_view text) {
  while (!text.empty()) {
    const CodePoint c = decode_utf8(text, 0);
    if (!is_python_space(c.value)) break;
    text.remove_prefix(c.bytes);
  }
  return text;
}

std::string_view trimmed_back(std::string_view text) {
  while (!text.empty()) {
    std::size_t at = text.size() - 1;  // where the last code point begins
    while (at > 0 && text.size() - at < 4 && (text[at] & 0xC0) == 0x80) --at;
    const CodePoint c = decode_utf8(text, at);
    if (at + c.bytes != text.size() || !is_python_space(c.value)) break;
    text = text.substr(0, at);
  }
  return text;
}

std::string_view trimmed(std::string_view text) {
  return trimmed_front(trimmed_back(text));
}

std::string_view without_newlines_around(std::string_view text) {
  const std::size_t first = text.find_first_not_of('\n');
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of('\n') - first + 1);
}

}  // namespace tophand::text
