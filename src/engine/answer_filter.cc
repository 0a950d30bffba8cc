#include "engine/answer_filter.h"

#include <algorithm>

#include "base/random.h"

namespace tophand::engine {
namespace {

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

void AnswerSplitter::emit(std::vector<text::AnswerPart>& parts,
                          std::vector<chat::StreamEvent>& out) {
  using Kind = text::AnswerPart::Kind;
  for (text::AnswerPart& part : parts) {
    if (open_ && *open_ != part.kind) out.emplace_back(chat::BlockEnd{});
    open_ = part.kind;
    if (part.kind == Kind::kText) {
      out.emplace_back(chat::TextDelta{std::move(part.text)});
    } else if (part.kind == Kind::kThinking) {
      out.emplace_back(chat::ThinkingDelta{std::move(part.text), {}});
    } else {
      out.emplace_back(chat::ToolUseStart{random_id("toolu_"), std::move(part.call.name)});
      out.emplace_back(chat::ToolUseDelta{std::move(part.call.arguments_json)});
      out.emplace_back(chat::BlockEnd{});
      open_.reset();
      ++calls_;
    }
  }
}

void AnswerSplitter::push(std::string_view text, std::vector<chat::StreamEvent>& out) {
  std::vector<text::AnswerPart> parts;
  if (parser_) parser_->push(text, parts);
  else if (!text.empty()) parts.push_back({.text = std::string(text)});
  emit(parts, out);
}

void AnswerSplitter::finish(std::vector<chat::StreamEvent>& out) {
  std::vector<text::AnswerPart> parts;
  if (parser_) parser_->finish(parts);
  emit(parts, out);
  if (std::exchange(open_, std::nullopt)) out.emplace_back(chat::BlockEnd{});
}

}  // namespace tophand::engine
