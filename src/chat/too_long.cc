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
  struct Words {
    std::string_view tokens, max;  // that the numbers stand behind
  };
  static constexpr Words kWords[] = {
      {"resulted in ", "maximum context length is "},           // OpenAI
      {"requested ", "maximum context length is "},             // vLLM, DeepSeek
      {"too long: ", " tokens > "},                             // ours, Claude
      {"request (", "available context size ("},                // llama-server
      {"input (", "context length ("},                          // SGLang
      {"(length ", "maximum model length of "},                 // vLLM
      {"token count (", "maximum number of tokens allowed ("},  // Gemini
      {"Prompt contains ", "too large for model with "},        // Mistral
      {"request contains ", "maximum prompt length is "},       // xAI
      {"n_keep: ", "n_ctx: "},                                  // LM Studio
      {"Given: ", "must be <= "},                               // text-generation-inference
      {"input (", "current batch size: "},                      // llama-server, of an embedding
  };
  // Claude, of prompt and answer together: "exceed context limit: 199000 + 8192 > 200000".
  if (const std::int64_t prompt = number_behind(message, "exceed context limit: "))
    return sane(
        {.tokens = prompt + number_behind(message, " + "), .max = number_behind(message, " > ")});
  for (const Words& words : kWords)
    if (const auto size = sane({.tokens = number_behind(message, words.tokens),
                                .max = number_behind(message, words.max)}))
      return size;
  return std::nullopt;
}

}  // namespace tophand::chat
