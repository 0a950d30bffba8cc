#include "text/answer_parser.h"

#include <algorithm>

#include "text/tool_calls.h"

namespace tophand::text {
namespace {

constexpr std::string_view kThinkOpen = "<think>", kThinkClose = "</think>";
constexpr std::string_view kCallOpen = "<tool_call>", kCallClose = "</tool_call>";
constexpr std::string_view kMistralCalls = "[TOOL_CALLS]";
constexpr std::string_view kFunction = "<function=", kFunctionEnd = "</function>";
constexpr std::string_view kSpace = " \t\r\n";

// How often an answer may begin a call that is none before the rest of it is taken as text: each
// costs a look at all that follows.
constexpr int kGivenUpMax = 64;

// Longer white space is not layout. The bound also keeps a model that says nothing else from being
// read again from its beginning with every piece.
constexpr std::size_t kLayoutMax = 64;

std::size_t first_word(std::string_view text) {
  return std::min(text.find_first_not_of(kSpace), text.size());
}

// Where the white space behind `text` begins, or the part of it that may be layout.
std::size_t without_space_behind(std::string_view text) {
  const std::size_t from = text.size() - std::min(kLayoutMax, text.size());
  const std::size_t last = text.substr(from).find_last_not_of(kSpace);
  return last == std::string_view::npos ? from : from + last + 1;
}

// The first place from which on `text` is a whole `mark` or its beginning; text.size() if none.
std::size_t mark_start(std::string_view text, std::string_view mark) {
  if (const std::size_t found = text.find(mark); found != std::string_view::npos) return found;
  for (std::size_t n = std::min(mark.size() - 1, text.size()); n > 0; --n)
    if (text.ends_with(mark.substr(0, n))) return text.size() - n;
  return text.size();
}

}  // namespace

AnswerOptions answer_options(TemplateKind kind, const std::vector<Turn>& turns,
                             const std::vector<Tool>& tools, RenderOptions options) {
  return {.tools = supports_tools(kind) && !tools.empty(),
          .thinks = may_think(kind),
          .in_thinking = opens_thinking(kind, turns, options),
          .offered = tools};
}

std::vector<std::string_view> answer_marks(TemplateKind kind, bool tools) {
  std::vector<std::string_view> out;
  if (may_think(kind)) out.insert(out.end(), {kThinkOpen, kThinkClose});
  if (!tools || !supports_tools(kind)) return out;
  if (kind == TemplateKind::kLlama3 || kind == TemplateKind::kLlama31) out.push_back(kPythonTag);
  else if (kind == TemplateKind::kMistralV3) out.push_back(kMistralCalls);
  else out.insert(out.end(), {kCallOpen, kCallClose});
  return out;
}

AnswerParser::AnswerParser(TemplateKind kind, AnswerOptions options)
    : kind_(kind), options_(std::move(options)), state_(State::kText) {
  if (options_.in_thinking) state_ = State::kThinking;
  else if (options_.thinks || (options_.tools && is_llama())) state_ = State::kBeginning;
}

void AnswerParser::emit(AnswerPart::Kind kind, std::string_view text, Parts& out) {
  if (!text.empty()) out.push_back({kind, std::string(text), {}});
}

void AnswerParser::push(std::string_view text, Parts& out) {
  held_ += text;
  while (step(out)) {
  }
}

bool AnswerParser::step(Parts& out) {
  switch (state_) {
    case State::kBeginning:
      return begin();
    case State::kThinking:
      return think(out);
    case State::kBehind:
      held_.erase(0, first_word(held_));
      if (held_.empty()) return false;
      state_ = State::kText;
      return true;
    case State::kText:
      return say(out);
    case State::kCall:
      return call(out);
    case State::kWhole:
      return false;
  }
  return false;
}

// Thoughts, and Llama 3's calls, are known by how the answer begins.
bool AnswerParser::begin() {
  const std::string_view rest = std::string_view(held_).substr(first_word(held_));
  if (held_.size() - rest.size() > kLayoutMax) {
    state_ = State::kText;
    return true;
  }
  if (rest.empty()) return false;
  const std::string_view mark = options_.thinks ? kThinkOpen : kPythonTag;
  if (!rest.starts_with(mark) && mark.starts_with(rest)) return false;
  state_ = State::kText;
  if (!options_.thinks && (rest.starts_with(mark) || rest[0] == '{')) state_ = State::kWhole;
  if (options_.thinks && rest.starts_with(mark)) {
    held_.erase(0, held_.size() - rest.size() + mark.size());
    state_ = State::kThinking;
  }
  return true;
}

bool AnswerParser::think(Parts& out) {
  if (!thought_) held_.erase(0, first_word(held_));
  const std::size_t close = mark_start(held_, kThinkClose);
  const std::size_t end = without_space_behind(std::string_view(held_).substr(0, close));
  emit(AnswerPart::Kind::kThinking, std::string_view(held_).substr(0, end), out);
  thought_ |= end > 0;
  const bool closed = std::string_view(held_).substr(close).starts_with(kThinkClose);
  held_.erase(0, closed ? close + kThinkClose.size() : end);
  if (closed) state_ = State::kBehind;
  return closed;
}

bool AnswerParser::say(Parts& out) {
  if (after_call_) {
    held_.erase(0, first_word(held_));
    after_call_ = held_.empty();
  }
  const bool reads_calls = options_.tools && !is_llama() && given_up_ < kGivenUpMax;
  const std::string_view mark = is_mistral() ? kMistralCalls : kCallOpen;
  const std::size_t at = reads_calls ? mark_start(held_, mark) : held_.size();
  const std::size_t end =
      reads_calls ? without_space_behind(std::string_view(held_).substr(0, at)) : at;
  emit(AnswerPart::Kind::kText, std::string_view(held_).substr(0, end), out);
  held_.erase(0, end);
  if (!std::string_view(held_).substr(at - end).starts_with(mark) || !reads_calls) return false;
  state_ = State::kCall;
  mark_at_ = at - end;
  scanned_ = mark_at_ + mark.size();
  depth_ = 0;
  in_string_ = escaped_ = false;
  return true;
}

// Mistral: a list behind the mark, which ends with its last bracket.
std::optional<AnswerParser::Body> AnswerParser::find_array() {
  const std::size_t begin = mark_at_ + kMistralCalls.size();
  for (; scanned_ < held_.size(); ++scanned_) {
    const char c = held_[scanned_];
    if (escaped_) {
      escaped_ = false;
    } else if (in_string_) {
      if (c == '\\') escaped_ = true;
      else if (c == '"') in_string_ = false;
    } else if (c == '"') {
      in_string_ = true;
    } else if (c == '[' || c == '{') {
      ++depth_;
    } else if ((c == ']' || c == '}') && depth_ > 0) {
      --depth_;
      if (depth_ == 0) return Body{begin, scanned_ + 1, scanned_ + 1};
    }
    // Anything else at the top is no list.
    if (depth_ == 0 && kSpace.find(c) == std::string_view::npos) return Body{begin, begin, begin};
  }
  return std::nullopt;
}

// Hermes and XML: up to </tool_call>, unless that stands in a JSON string or in an XML value.
std::optional<AnswerParser::Body> AnswerParser::find_body() {
  const std::size_t begin = mark_at_ + kCallOpen.size();
  const std::string_view body = std::string_view(held_).substr(begin);
  const std::size_t first = first_word(body.substr(0, kLayoutMax + 1));
  const std::string_view inner = body.substr(first);
  const bool layout = first <= kLayoutMax;
  if (layout &&
      (inner.empty() || (inner.size() < kFunction.size() && kFunction.starts_with(inner))))
    return std::nullopt;
  const bool json = layout && (inner[0] == '{' || inner[0] == '[');
  const bool xml = layout && inner.starts_with(kFunction);
  for (; scanned_ < held_.size(); ++scanned_) {
    const char c = held_[scanned_];
    if (json && in_string_) {
      if (escaped_) escaped_ = false;
      else if (c == '\\') escaped_ = true;
      else if (c == '"' || c == '\n') in_string_ = false;  // JSON strings end with their line
      continue;
    }
    if (json && c == '"') in_string_ = true;
    if (c != '<') continue;
    const std::string_view rest = std::string_view(held_).substr(scanned_);
    if (!rest.starts_with(kCallClose)) {
      if (kCallClose.starts_with(rest)) return std::nullopt;
      continue;
    }
    const std::string_view before = std::string_view(held_).substr(begin, scanned_ - begin);
    const bool in_value =
        xml && !before.substr(0, without_space_behind(before)).ends_with(kFunctionEnd);
    if (!in_value) return Body{begin, scanned_, scanned_ + kCallClose.size()};
  }
  return std::nullopt;
}

bool AnswerParser::emit_calls(std::string_view body, Parts& out) {
  auto calls = read_call_body(body, options_.offered);
  for (ToolCall& call : calls) out.push_back({AnswerPart::Kind::kCall, "", std::move(call)});
  calls_ += calls.size();
  after_call_ |= !calls.empty();
  return !calls.empty();
}

// The first `bytes` of held_ were no call.
void AnswerParser::give_up_call(std::size_t bytes, Parts& out) {
  emit(AnswerPart::Kind::kText, std::string_view(held_).substr(0, bytes), out);
  held_.erase(0, bytes);
  ++given_up_;
  state_ = State::kText;
}

bool AnswerParser::call(Parts& out) {
  const auto found = is_mistral() ? find_array() : find_body();
  if (!found) return false;
  const std::string_view body =
      std::string_view(held_).substr(found->begin, found->end - found->begin);
  if (emit_calls(body, out)) {
    held_.erase(0, found->next);
    state_ = State::kText;
  } else {
    give_up_call(found->next, out);
  }
  return true;
}

// The answer is over and no end of the call was found.
void AnswerParser::finish_call(Parts& out) {
  const std::size_t begin = mark_at_ + (is_mistral() ? kMistralCalls : kCallOpen).size();
  if (emit_calls(std::string_view(held_).substr(begin), out)) {
    held_.clear();
    state_ = State::kText;
    return;
  }
  // Perhaps a stray quote hid the closing tag: what follows it is looked at again.
  const std::size_t close = is_mistral() ? std::string::npos : held_.find(kCallClose, begin);
  give_up_call(close == std::string::npos ? held_.size() : close + kCallClose.size(), out);
}

void AnswerParser::finish(Parts& out) {
  while (state_ == State::kCall) {
    finish_call(out);
    while (step(out)) {
    }
  }
  switch (state_) {
    case State::kThinking:
      emit(AnswerPart::Kind::kThinking,
           std::string_view(held_).substr(0, without_space_behind(held_)), out);
      break;
    case State::kWhole: {
      auto calls = read_llama3_calls(held_);
      if (calls.empty()) emit(AnswerPart::Kind::kText, held_, out);
      for (ToolCall& call : calls) out.push_back({AnswerPart::Kind::kCall, "", std::move(call)});
      break;
    }
    case State::kBehind:
      break;
    default: {
      // White space behind a call is layout.
      const bool only_space = first_word(held_) == held_.size();
      if (calls_ == 0 || !only_space) emit(AnswerPart::Kind::kText, held_, out);
    }
  }
  held_.clear();
}

ParsedAnswer parse_answer(TemplateKind kind, AnswerOptions options, std::string_view answer) {
  AnswerParser parser(kind, std::move(options));
  std::vector<AnswerPart> parts;
  parser.push(answer, parts);
  parser.finish(parts);
  ParsedAnswer out;
  bool called = false;
  for (AnswerPart& part : parts) {
    if (part.kind == AnswerPart::Kind::kText) {
      if (called && !out.text.empty()) out.text += '\n';
      out.text += part.text;
    } else if (part.kind == AnswerPart::Kind::kThinking) {
      out.thinking += part.text;
    } else {
      out.tool_calls.push_back(std::move(part.call));
    }
    called = part.kind == AnswerPart::Kind::kCall;
  }
  return out;
}

}  // namespace tophand::text
