#include "chat/token_estimate.h"

#include <array>

namespace tophand::chat {
namespace {

// Thousandths of a token for each feature, in the order of TextFeatures. Non-negative least squares
// with weights 1/count.
struct Coefficients {
  std::int64_t humps, long_letters, digits, punctuation, newlines, indented_lines, caps_letters,
      non_ascii, underscores;
};
constexpr Coefficients kV3{1052, 173, 964, 708, 879, 1132, 152, 1114, 973};
constexpr Coefficients kV5{1391, 432, 975, 759, 1214, 1111, 486, 1117, 1028};

// What the API adds around a single user message, and so about what it adds around each.
std::int64_t frame_tokens(TokenFamily family) {
  switch (family) {
    case TokenFamily::kV3:
      return 7;
    case TokenFamily::kV47:
      return 11;
    case TokenFamily::kV5:
      break;
  }
  return 6;
}

constexpr std::int64_t kToolPromptTokens = 346;  // docs.claude.com, "Tool use", pricing (auto)
constexpr std::int64_t kImageTokens = 1600;      // docs.claude.com, "Vision", image costs
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::int64_t weighed(const Coefficients& by, const TextFeatures& f) {
  const std::int64_t thousandths = by.humps * f.humps + by.long_letters * f.long_letters +
                                   by.digits * f.digits + by.punctuation * f.punctuation +
                                   by.newlines * f.newlines + by.indented_lines * f.indented_lines +
                                   by.caps_letters * f.caps_letters + by.non_ascii * f.non_ascii +
                                   by.underscores * f.underscores;
  return (thousandths + 500) / 1000;
}

std::int64_t block_tokens(TokenFamily family, const Block& block) {
  if (const auto* text = std::get_if<TextBlock>(&block)) return estimate_tokens(family, text->text);
  if (const auto* tool = std::get_if<ToolUseBlock>(&block))
    return estimate_tokens(family, tool->name) + estimate_tokens(family, tool->input_json);
  if (const auto* result = std::get_if<ToolResultBlock>(&block))
    return estimate_tokens(family, result->text);
  if (const auto* thinking = std::get_if<ThinkingBlock>(&block))
    return estimate_tokens(family, thinking->thinking);
  return kImageTokens;  // an image, or a document, which is no smaller
}

}  // namespace

TokenFamily claude_token_family(std::string_view model) {
  std::array<std::int64_t, 2> version{0, 0};
  std::size_t found = 0;
  for (std::size_t i = 0; i < model.size() && found < version.size();) {
    if (!is_digit(model[i])) {
      ++i;
      continue;
    }
    std::size_t digits = 0;
    std::int64_t number = 0;
    for (; i < model.size() && is_digit(model[i]); ++i, ++digits)
      if (digits < 9) number = number * 10 + (model[i] - '0');
    if (digits > 2) break;  // a date
    version[found++] = number;
  }
  if (found == 0 || version[0] > 4) return TokenFamily::kV5;
  if (version[0] == 4 && version[1] >= 7) return TokenFamily::kV47;
  return TokenFamily::kV3;
}

std::int64_t estimate_tokens(TokenFamily family, std::string_view text) {
  return weighed(family == TokenFamily::kV3 ? kV3 : kV5, text_features(text));
}

std::int64_t estimate_tokens(TokenFamily family, const Request& request) {
  std::int64_t total = 0;
  for (const Message& message : request.messages) {
    if (message.role != Role::kSystem) total += frame_tokens(family);
    for (const Block& block : message.blocks) total += block_tokens(family, block);
  }
  if (!request.tools.empty()) total += kToolPromptTokens;
  for (const Tool& tool : request.tools)
    total += estimate_tokens(family, tool.name) + estimate_tokens(family, tool.description) +
             estimate_tokens(family, tool.input_schema_json);
  if (!request.json_schema.empty()) total += estimate_tokens(family, request.json_schema);
  return total;
}

}  // namespace tophand::chat
