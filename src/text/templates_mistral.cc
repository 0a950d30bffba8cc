// Llama 2 and Mistral: [INST] ... [/INST] answer</s>. Their SentencePiece tokenizers put a space in
// front of whatever follows a control token, so where a Jinja template prints one there, this does
// not: the ids are those of the publishers' own encoders (mistral-common; llama, generation.py).
// With a byte-level tokenizer the same text is what Mistral's later models (Nemo) were trained on.
#include <algorithm>

#include "base/json.h"
#include "text/json_spacing.h"
#include "text/prompt_builder.h"

namespace tophand::text {
namespace {

// Mistral's ids are nine letters or digits; other ones are cut or filled up to that.
std::string call_id(std::string_view id) {
  std::string out;
  for (const char c : id)
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) out += c;
  if (out.size() > 9) out = out.substr(out.size() - 9);
  return out + std::string(9 - out.size(), '0');
}

void available_tools(const std::vector<Tool>& tools, Prompt& out) {
  out.ours("[AVAILABLE_TOOLS]").ours("[");
  for (std::size_t i = 0; i < tools.size(); ++i)
    out.ours(i == 0 ? "" : ", ").theirs(space_json(tools[i].json));
  out.ours("][/AVAILABLE_TOOLS]");
}

void tool_calls(const Turn& turn, Prompt& out) {
  out.ours("[TOOL_CALLS]").ours("[");
  for (std::size_t i = 0; i < turn.tool_calls.size(); ++i) {
    const ToolCall& call = turn.tool_calls[i];
    out.ours(i == 0 ? "{\"name\": " : ", {\"name\": ").theirs(dump_json(call.name));
    out.ours(", \"arguments\": ").theirs(space_json(call.arguments_json));
    out.ours(", \"id\": \"").theirs(call_id(call.id)).ours("\"}");
  }
  out.ours("]");
}

// A result that is JSON goes in as such, anything else as a string.
void tool_result(const Turn& turn, Prompt& out) {
  const bool json = parse_json(turn.text).has_value();
  out.ours("[TOOL_RESULTS]").ours("{\"content\": ");
  out.theirs(json ? space_json(turn.text) : dump_json(turn.text));
  out.ours(", \"call_id\": \"").theirs(call_id(turn.tool_call_id)).ours("\"}[/TOOL_RESULTS]");
}

void user_turn(const Conversation& talk, const Turn& turn, bool with_system, Prompt& out) {
  const bool v3 = talk.kind == TemplateKind::kMistralV3,
             llama2 = talk.kind == TemplateKind::kLlama2;
  std::string_view text = turn.text;
  if (llama2) text = with_system ? trimmed_back(text) : trimmed(text);
  out.ours(v3 ? "[INST]" : "[INST] ");
  if (with_system && llama2) out.ours("<<SYS>>\n").theirs(talk.system()->text).ours("\n<</SYS>>");
  else if (with_system) out.theirs(talk.system()->text);
  if (with_system && !(llama2 && text.empty())) out.ours("\n\n");
  out.theirs(text).ours(v3 ? "[/INST]" : " [/INST]");
}

void assistant_turn(const Conversation& talk, std::size_t i, Prompt& out) {
  const Turn& turn = talk.turns[i];
  const bool v3 = talk.kind == TemplateKind::kMistralV3;
  if (!v3) out.ours(" ");
  if (talk.kind == TemplateKind::kMistralV1) out.theirs(turn.text);
  else out.theirs(talk.is_open(i) ? trimmed_front(turn.text) : trimmed(turn.text));
  if (v3 && !turn.tool_calls.empty()) tool_calls(turn, out);
  if (talk.is_open(i)) return;
  out.ours(talk.kind == TemplateKind::kLlama2 ? " </s><s>" : "</s>");
}

}  // namespace

void render_mistral(const Conversation& talk, Prompt& out) {
  // The system text goes into a user turn: the first, from v3 on the last.
  const bool v3 = talk.kind == TemplateKind::kMistralV3;
  std::size_t chosen = talk.turns.size();
  for (std::size_t i = 0; i < talk.turns.size(); ++i)
    if (talk.turns[i].role == Role::kUser && (v3 || chosen == talk.turns.size())) chosen = i;
  for (std::size_t i = talk.first(); i < talk.turns.size(); ++i) {
    const Turn& turn = talk.turns[i];
    if (turn.role == Role::kAssistant) {
      assistant_turn(talk, i, out);
    } else if (turn.role == Role::kTool && v3) {
      tool_result(turn, out);
    } else {
      if (i == chosen && !talk.tools.empty()) available_tools(talk.tools, out);
      user_turn(talk, turn, i == chosen && talk.system() != nullptr, out);
    }
  }
}

}  // namespace tophand::text
