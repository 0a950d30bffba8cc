// What the chat template renderers share. Internal to text/.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/chat_template.h"
#include "text/segment.h"

namespace tophand::text {

// Gathers segments; neighbours of one kind are joined.
class Prompt {
 public:
  Prompt& ours(std::string_view text) { return add(text, true); }
  Prompt& theirs(std::string_view text) { return add(text, false); }
  std::vector<Segment> take() { return std::move(segments_); }

 private:
  Prompt& add(std::string_view text, bool trusted);
  std::vector<Segment> segments_;
};

struct Conversation {
  TemplateKind kind;
  const std::vector<Turn>& turns;
  const std::vector<Tool>& tools;
  RenderOptions options;

  // The system turn at the beginning, if there is one.
  const Turn* system() const;
  // Where the turns behind it begin.
  std::size_t first() const { return system() ? 1 : 0; }
  // The last turn is the assistant's and waits to be continued.
  bool open() const { return !turns.empty() && turns.back().role == Role::kAssistant; }
  bool is_open(std::size_t i) const { return open() && i + 1 == turns.size(); }
  // The last turn in which a person spoke; turns.size() when there is none.
  std::size_t last_user() const;
};

std::string_view role_name(Role role);

// Python's str.strip(), which is Jinja's `trim`: Unicode white space and U+001C to U+001F.
std::string_view trimmed(std::string_view text);
std::string_view trimmed_front(std::string_view text);
std::string_view trimmed_back(std::string_view text);
// str.strip('\n')
std::string_view without_newlines_around(std::string_view text);

// What Qwen3.8 is told of how hard to think; the only effort that clients of ours ask for.
inline constexpr std::string_view kQwen38Effort =
    "Reasoning effort is set to xhigh. Please think carefully through the task, validate key "
    "assumptions, consider plausible alternatives, and prioritize correctness, consistency, and "
    "clarity in the final answer.";

// The renderers, a family a file. Each ends with the assistant's header or its open turn.
void render_chatml(const Conversation& talk, Prompt& out);
void render_qwen3(const Conversation& talk, Prompt& out);
void render_llama3(const Conversation& talk, Prompt& out);
void render_mistral(const Conversation& talk, Prompt& out);
void render_simple(const Conversation& talk, Prompt& out);

// Hermes tool text that ChatML, Qwen2.5 and Qwen3 share.
void hermes_tools(const Conversation& talk, Prompt& out);
void hermes_call(const ToolCall& call, Prompt& out);
// Consecutive tool results share one user turn.
void hermes_result(const Conversation& talk, std::size_t i, std::string_view text, Prompt& out);

}  // namespace tophand::text
