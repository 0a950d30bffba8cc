#include "chat/token_estimate.h"

#include <algorithm>

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
constexpr std::int64_t kLongRun = 6;

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_letter(char c) {
  return is_lower(c) || is_upper(c);
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1C && c <= 0x1F);
}

// Sub-words as [A-Z]+(?![a-z]) | [A-Z]?[a-z]+ splits them: "HTTPHeader" is HTTP, Header.
std::int64_t count_humps(std::string_view run) {
  std::int64_t humps = 0;
  for (std::size_t i = 0; i < run.size(); ++i) {
    const bool after_lower = i > 0 && is_lower(run[i - 1]);
    const bool before_lower = i + 1 < run.size() && is_lower(run[i + 1]);
    if (i == 0 || (is_upper(run[i]) && (after_lower || before_lower))) ++humps;
  }
  return humps;
}

void count_run(std::string_view run, TextFeatures& out) {
  const auto letters = static_cast<std::int64_t>(run.size());
  out.humps += count_humps(run);
  out.long_letters += std::max<std::int64_t>(0, letters - kLongRun);
  if (letters > 1 && std::all_of(run.begin(), run.end(), is_upper)) out.caps_letters += letters;
}

struct CodePoint {
  std::uint32_t value;
  std::size_t bytes;
};

// The code point at the front; a byte that starts none is one of its own, as U+FFFD.
CodePoint first_code_point(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return {0xFFFD, 1};
  std::uint32_t value = lead & (0x7Fu >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0u) != 0x80u) return {0xFFFD, 1};
    value = value << 6 | (byte(i) & 0x3Fu);
  }
  return {value, bytes};
}

struct Range {
  std::uint32_t first, last;
};
// Blocks of punctuation and symbols: Latin-1, general punctuation to miscellaneous symbols (arrows,
// mathematics, box drawing), CJK punctuation, full-width forms, emoji.
constexpr std::array kSymbols{
    Range{0x00A1, 0x00A9}, Range{0x00AB, 0x00B1},  Range{0x00B4, 0x00B4}, Range{0x00B6, 0x00B8},
    Range{0x00BB, 0x00BB}, Range{0x00BF, 0x00BF},  Range{0x00D7, 0x00D7}, Range{0x00F7, 0x00F7},
    Range{0x200B, 0x2027}, Range{0x202A, 0x202E},  Range{0x2030, 0x205E}, Range{0x20A0, 0x20CF},
    Range{0x2190, 0x245F}, Range{0x2500, 0x2775},  Range{0x2794, 0x2BFF}, Range{0x3001, 0x3004},
    Range{0x3008, 0x3020}, Range{0xFE00, 0xFE6B},  Range{0xFF01, 0xFF0F}, Range{0xFF1A, 0xFF20},
    Range{0xFFFC, 0xFFFD}, Range{0x1F000, 0x1FAFF}};

bool is_symbol(std::uint32_t code_point) {
  return std::any_of(kSymbols.begin(), kSymbols.end(), [&](const Range& range) {
    return code_point >= range.first && code_point <= range.last;
  });
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

TextFeatures text_features(std::string_view text) {
  TextFeatures out;
  bool line_start = true, indent = false;  // at a line's start; behind blanks only
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (line_start && (c == ' ' || c == '\t')) {
      indent = true;
      ++i;
      continue;
    }
    if (indent && !is_space(c)) ++out.indented_lines;
    line_start = c == '\n';
    indent = false;
    if (is_letter(c)) {
      std::size_t end = i;
      while (end < text.size() && is_letter(text[end])) ++end;
      count_run(text.substr(i, end - i), out);
      i = end;
      continue;
    }
    std::size_t bytes = 1;
    if (static_cast<unsigned char>(c) >= 0x80) {
      const CodePoint point = first_code_point(text.substr(i));
      bytes = point.bytes;
      ++out.non_ascii;
      if (is_symbol(point.value)) ++out.punctuation;
    } else if (is_digit(c)) {
      ++out.digits;
    } else if (c == '_') {
      ++out.underscores;
    } else if (c == '\n') {
      ++out.newlines;
    } else if (!is_space(c)) {
      ++out.punctuation;
    }
    i += bytes;
  }
  return out;
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
  return total;
}

}  // namespace tophand::chat
