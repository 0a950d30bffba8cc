// Reads an answer as it comes: thoughts and tool calls are taken out of the text. However the
// answer is cut into pieces, the parts add up to the same. Pure; one answer, one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/chat_template.h"

namespace tophand::text {

struct AnswerPart {
  enum class Kind : std::uint8_t { kText, kThinking, kCall } kind = Kind::kText;
  std::string text;    // a piece of text or of thoughts
  ToolCall call = {};  // whole; its id is left empty
};

struct AnswerOptions {
  bool tools = false;              // tools were offered; else what looks like a call is text
  bool thinks = false;             // look for <think> at the beginning
  bool in_thinking = false;        // the prompt opened it already
  std::vector<Tool> offered = {};  // their schemas say what type an XML argument has
};

// What a family's answers are read for. `tools`: whether any were offered.
AnswerOptions answer_options(TemplateKind kind, const std::vector<Turn>& turns,
                             const std::vector<Tool>& tools, RenderOptions options);

// Texts of tokens that the parser has to see even where a vocabulary has them as control tokens.
std::vector<std::string_view> answer_marks(TemplateKind kind, bool tools);

class AnswerParser {
 public:
  AnswerParser(TemplateKind kind, AnswerOptions options);

  // Appends what is certain by now. Text waits while it may be the beginning of a mark, white space
  // while a call may follow it, a call until it is whole; Llama 3 calls are a whole answer.
  void push(std::string_view text, std::vector<AnswerPart>& out);
  // The end of the answer. A call without its closing tag counts when it is whole otherwise; what
  // only looked like a call comes out as text.
  void finish(std::vector<AnswerPart>& out);

 private:
  enum class State : std::uint8_t { kBeginning, kThinking, kBehind, kText, kCall, kWhole };
  using Parts = std::vector<AnswerPart>;

  // Each does what it can with held_; false: more has to come.
  bool step(Parts& out);
  bool begin();
  bool think(Parts& out);
  bool say(Parts& out);
  bool call(Parts& out);

  bool is_llama() const {
    return kind_ == TemplateKind::kLlama3 || kind_ == TemplateKind::kLlama31;
  }
  bool is_mistral() const { return kind_ == TemplateKind::kMistralV3; }
  // The end of the call's body in held_, and of its closing mark; nothing yet: false.
  struct Body {
    std::size_t begin, end, next;
  };
  std::optional<Body> find_body();
  std::optional<Body> find_array();
  void emit(AnswerPart::Kind kind, std::string_view text, Parts& out);
  bool emit_calls(std::string_view body, Parts& out);
  void give_up_call(std::size_t bytes, Parts& out);
  void finish_call(Parts& out);

  TemplateKind kind_;
  AnswerOptions options_;
  State state_;
  std::string held_;
  bool thought_ = false;     // some thoughts came out: white space now stands between them
  bool after_call_ = false;  // white space here is layout
  std::size_t calls_ = 0;
  int given_up_ = 0;
  // Within a call: where its mark begins, and how far the search for its end has come.
  std::size_t mark_at_ = 0, scanned_ = 0, depth_ = 0;
  bool in_string_ = false, escaped_ = false;
};

// A whole answer at once, text trimmed of the white space around calls.
struct ParsedAnswer {
  std::string text, thinking;
  std::vector<ToolCall> tool_calls;
};
ParsedAnswer parse_answer(TemplateKind kind, AnswerOptions options, std::string_view answer);

}  // namespace tophand::text
