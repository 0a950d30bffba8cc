// What lies between decoded text and the events a client sees: stop strings are held back and cut
// off, tool calls are taken out of the text. Pure; one answer, one thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chat/events.h"
#include "text/chat_template.h"

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

// Turns text into events: text deltas, and for families with tool calls ToolUseStart, ToolUseDelta
// and BlockEnd in place of the calls' text. What only looked like a call comes out as text.
class AnswerSplitter {
 public:
  // kind: nullopt when no tools were offered; everything is text then.
  explicit AnswerSplitter(std::optional<text::TemplateKind> kind) : kind_(kind) {}
  void push(std::string_view text, std::vector<chat::StreamEvent>& out);
  // The end of the answer: what is held comes out, the open block is closed.
  void finish(std::vector<chat::StreamEvent>& out);
  int calls() const { return calls_; }

 private:
  void emit_text(std::string_view text, std::vector<chat::StreamEvent>& out);
  void emit_call(const text::ToolCall& call, std::vector<chat::StreamEvent>& out);
  // Takes one finished call off the front of held_; false when it is not finished.
  bool take_call(std::vector<chat::StreamEvent>& out);

  std::optional<text::TemplateKind> kind_;
  std::string held_;
  bool text_open_ = false;
  bool any_text_ = false;
  int calls_ = 0;
};

}  // namespace tophand::engine
