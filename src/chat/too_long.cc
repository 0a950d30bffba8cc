#include "chat/too_long.h"

#include <charconv>

namespace tophand::chat {
namespace {

// The number that stands right behind the first of `words`; 0 when there is none.
std::int64_t number_behind(std::string_view message, std::string_view words) {
  const std::size_t at = message.find(words);
  if (at == std::string_view::npos) return 0;
  const std::string_view rest = message.substr(at + words.size());
  std::int64_t value = 0;
  const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), value);
  return parsed.ec == std::errc() ? value : 0;
}

std::optional<PromptSize> sane(PromptSize size) {
  return size.max > 0 && size.tokens > size.max ? std::optional(size) : std::nullopt;
}

}  // namespace

std::optional<PromptSize> told_prompt_size(std::string_view message) {
  const std::int64_t max = number_behind(message, "maximum context length is ");
  if (max == 0)
    return sane({.tokens = number_behind(message, "too long: "),
                 .max = number_behind(message, " tokens > ")});
  std::int64_t tokens = number_behind(message, "resulted in ");
  if (tokens == 0) tokens = number_behind(message, "requested ");
  return sane({.tokens = tokens, .max = max});
}

}  // namespace tophand::chat
