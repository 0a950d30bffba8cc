// What lies between decoded text and the events a client sees: stop strings are held back and cut
// off, thoughts and tool calls are taken out of the text. Pure; one answer, one thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chat/events.h"
#include "text/answer_parser.h"

namespace tophand::engine {

// Lets text through up to the first stop string. A stop string may come in any number of pieces; no
// part of one ever gets out, and nothing else is held longer than needed to know.
class StopFilter {
 public:
  // Empty stop strings are ignored.
  explicit StopFilter(std::vector<std::string> stops);
  // Whole UTF-8 code points in; text that is certainly before any stop string out.
  std::string push(std::string_view text);
  // The rest, when the answer ended without a stop string.
  std::string flush();
  // Set once a stop string has come; push gives "" from then on.
  const std::optional<std::string>& matched() const { return matched_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  std::optional<std::string> matched_;
};

// Turns what text::AnswerParser finds into events: text and thinking deltas, and for a tool call
// ToolUseStart, ToolUseDelta and BlockEnd.
class AnswerSplitter {
 public:
  // Without a parser (a raw prompt) everything is text.
  explicit AnswerSplitter(std::optional<text::AnswerParser> parser) : parser_(std::move(parser)) {}
  void push(std::string_view text, std::vector<chat::StreamEvent>& out);
  // The end of the answer: what is held comes out, the open block is closed.
  void finish(std::vector<chat::StreamEvent>& out);
  int calls() const { return calls_; }

 private:
  void emit(std::vector<text::AnswerPart>& parts, std::vector<chat::StreamEvent>& out);

  std::optional<text::AnswerParser> parser_;
  std::optional<text::AnswerPart::Kind> open_;  // the block that waits for its end
  int calls_ = 0;
};

}  // namespace tophand::engine
