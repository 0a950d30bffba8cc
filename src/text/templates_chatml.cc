// ChatML, Qwen2.5 and SmolLM2: <|im_start|>role\n...<|im_end|>\n
#include "text/json_spacing.h"
#include "text/prompt_builder.h"

namespace tophand::text {
namespace {

constexpr std::string_view kQwenSystem =
    "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.";
constexpr std::string_view kSmolLmSystem =
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face";

// The system text when the conversation has none.
std::string_view default_system(TemplateKind kind) {
  switch (kind) {
    case TemplateKind::kQwen25:
    case TemplateKind::kQwen25Braces:
      return kQwenSystem;
    case TemplateKind::kSmolLm2:
      return kSmolLmSystem;
    default:
      return {};
  }
}

// The families with a default always have a system turn; plain ChatML only when there is something
// to say in it.
void system_turn(const Conversation& talk, Prompt& out) {
  const std::string_view fallback = default_system(talk.kind);
  if (!talk.system() && talk.tools.empty() && fallback.empty()) return;
  out.ours("<|im_start|>system\n");
  if (talk.system()) out.theirs(talk.system()->text);
  else out.ours(fallback);
  if (!talk.tools.empty()) {
    if (talk.system() || !fallback.empty()) out.ours("\n\n");
    hermes_tools(talk, out);
  }
  out.ours("<|im_end|>\n");
}

}  // namespace

void hermes_tools(const Conversation& talk, Prompt& out) {
  const bool braces = talk.kind == TemplateKind::kQwen25Braces;
  out.ours(
      "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
      "You are provided with function signatures within <tools></tools> XML tags:\n<tools>");
  for (const Tool& tool : talk.tools) out.ours("\n").theirs(space_json(tool.json));
  out.ours(
         "\n</tools>\n\nFor each function call, return a json object with function name and "
         "arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n")
      .ours(braces ? "{{" : "{")
      .ours("\"name\": <function-name>, \"arguments\": <args-json-object>")
      .ours(braces ? "}}" : "}")
      .ours("\n</tool_call>");
}

void hermes_call(const ToolCall& call, Prompt& out) {
  out.ours("<tool_call>\n{\"name\": \"")
      .theirs(call.name)
      .ours("\", \"arguments\": ")
      .theirs(space_json(call.arguments_json))
      .ours("}\n</tool_call>");
}

void hermes_result(const Conversation& talk, std::size_t i, std::string_view text, Prompt& out) {
  const std::vector<Turn>& turns = talk.turns;
  if (i == 0 || turns[i - 1].role != Role::kTool) out.ours("<|im_start|>user");
  out.ours("\n<tool_response>\n").theirs(text).ours("\n</tool_response>");
  if (i + 1 == turns.size() || turns[i + 1].role != Role::kTool) out.ours("<|im_end|>\n");
}

void render_chatml(const Conversation& talk, Prompt& out) {
  system_turn(talk, out);
  const bool hermes = supports_tools(talk.kind);
  for (std::size_t i = talk.first(); i < talk.turns.size(); ++i) {
    const Turn& turn = talk.turns[i];
    if (hermes && turn.role == Role::kTool) {
      hermes_result(talk, i, turn.text, out);
      continue;
    }
    const bool calls = hermes && turn.role == Role::kAssistant && !turn.tool_calls.empty();
    out.ours("<|im_start|>").ours(role_name(turn.role));
    if (!calls || !turn.text.empty()) out.ours("\n").theirs(turn.text);
    if (calls)
      for (const ToolCall& call : turn.tool_calls) hermes_call(call, out.ours("\n"));
    if (!talk.is_open(i)) out.ours("<|im_end|>\n");
  }
  if (!talk.open()) out.ours("<|im_start|>assistant\n");
}

}  // namespace tophand::text
