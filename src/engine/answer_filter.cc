#include "engine/answer_filter.h"

#include <algorithm>

#include "base/random.h"

namespace tophand::engine {
namespace {

constexpr std::string_view kSpace = " \t\r\n";
constexpr std::string_view kCallEnd = "</tool_call>";

// The longest proper beginning of `mark` that `text` ends with, in bytes.
std::size_t begun(std::string_view text, std::string_view mark) {
  for (std::size_t n = std::min(mark.size() - 1, text.size()); n > 0; --n)
    if (text.ends_with(mark.substr(0, n))) return n;
  return 0;
}

}  // namespace

StopFilter::StopFilter(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::erase(stops_, std::string());
}

std::string StopFilter::push(std::string_view text) {
  if (matched_) return {};
  held_ += text;
  std::size_t first = std::string::npos;
  for (const std::string& stop : stops_) {
    const std::size_t found = held_.find(stop);
    if (found >= first) continue;  // also when there is none
    first = found;
    matched_ = stop;
  }
  std::size_t hold = 0;
  if (!matched_)
    for (const std::string& stop : stops_) hold = std::max(hold, begun(held_, stop));
  const std::size_t out_bytes = matched_ ? first : held_.size() - hold;
  std::string out = held_.substr(0, out_bytes);
  held_.erase(0, matched_ ? held_.size() : out_bytes);
  return out;
}

std::string StopFilter::flush() {
  return std::exchange(held_, {});
}

void AnswerSplitter::emit_text(std::string_view text, std::vector<chat::StreamEvent>& out) {
  if (text.empty()) return;
  out.emplace_back(chat::TextDelta{std::string(text)});
  text_open_ = any_text_ = true;
}

void AnswerSplitter::emit_call(const text::ToolCall& call, std::vector<chat::StreamEvent>& out) {
  if (std::exchange(text_open_, false)) out.emplace_back(chat::BlockEnd{});
  out.emplace_back(chat::ToolUseStart{random_id("toolu_"), call.name});
  out.emplace_back(chat::ToolUseDelta{call.arguments_json});
  out.emplace_back(chat::BlockEnd{});
  ++calls_;
}

bool AnswerSplitter::take_call(std::vector<chat::StreamEvent>& out) {
  // Llama 3 calls are a whole answer: known only at its end.
  if (*kind_ == text::TemplateKind::kLlama3) return false;
  const std::size_t end = held_.find(kCallEnd);
  if (end == std::string::npos) return false;
  const std::string stretch = held_.substr(0, end + kCallEnd.size());
  held_.erase(0, stretch.size());
  const text::ParsedAnswer parsed = text::parse_answer(*kind_, stretch);
  if (parsed.tool_calls.empty()) emit_text(stretch, out);
  for (const text::ToolCall& call : parsed.tool_calls) emit_call(call, out);
  return true;
}

void AnswerSplitter::push(std::string_view text, std::vector<chat::StreamEvent>& out) {
  held_ += text;
  if (!kind_) return emit_text(std::exchange(held_, {}), out);
  const bool whole_answer = *kind_ == text::TemplateKind::kLlama3;
  if (whole_answer && any_text_) return emit_text(std::exchange(held_, {}), out);
  for (;;) {
    std::size_t start = text::tool_call_start(*kind_, held_);
    const bool may_be_call = start < held_.size();
    // White space before a call is layout and goes with it, so it waits until something follows.
    while (start > 0 && kSpace.find(held_[start - 1]) != std::string_view::npos) --start;
    emit_text(std::string_view(held_).substr(0, start), out);
    held_.erase(0, start);
    if (!may_be_call || !take_call(out)) return;
  }
}

void AnswerSplitter::finish(std::vector<chat::StreamEvent>& out) {
  if (kind_) {
    const text::ParsedAnswer parsed = text::parse_answer(*kind_, held_);
    const bool only_space = held_.find_first_not_of(kSpace) == std::string::npos;
    if (!parsed.tool_calls.empty() || calls_ == 0 || !only_space) emit_text(parsed.text, out);
    for (const text::ToolCall& call : parsed.tool_calls) emit_call(call, out);
    held_.clear();
  }
  if (std::exchange(text_open_, false)) out.emplace_back(chat::BlockEnd{});
}

}  // namespace tophand::engine
