// Families whose turns are a header, the text and an end: Phi-3, Phi-4, MiniCPM (before 4), Falcon3
// and BitNet b1.58 2B4T. Only Falcon3 has tools.
#include <array>

#include "base/json.h"
#include "text/json_spacing.h"
#include "text/prompt_builder.h"

namespace tophand::text {
namespace {

// Phi-3: <|role|>\n...<|end|>\n. Without a role for tools, what they say is a user's turn.
void phi3(const Conversation& talk, Prompt& out) {
  for (std::size_t i = 0; i < talk.turns.size(); ++i) {
    const Turn& turn = talk.turns[i];
    if (turn.role == Role::kSystem && turn.text.empty()) continue;
    out.ours("<|").ours(turn.role == Role::kTool ? "user" : role_name(turn.role)).ours("|>\n");
    out.theirs(turn.text);
    if (!talk.is_open(i)) out.ours("<|end|>\n");
  }
  if (!talk.open()) out.ours("<|assistant|>\n");
}

// Phi-4: <|im_start|>role<|im_sep|>...<|im_end|>
void phi4(const Conversation& talk, Prompt& out) {
  for (std::size_t i = 0; i < talk.turns.size(); ++i) {
    const Turn& turn = talk.turns[i];
    out.ours("<|im_start|>").ours(turn.role == Role::kTool ? "user" : role_name(turn.role));
    out.ours("<|im_sep|>").theirs(turn.text);
    if (!talk.is_open(i)) out.ours("<|im_end|>");
  }
  if (!talk.open()) out.ours("<|im_start|>assistant<|im_sep|>");
}

// MiniCPM: only what a person says is marked, and the answer follows it at once.
void minicpm(const Conversation& talk, Prompt& out) {
  for (std::size_t i = 0; i < talk.turns.size(); ++i) {
    const Turn& turn = talk.turns[i];
    const bool user = turn.role == Role::kUser || turn.role == Role::kTool;
    if (user) out.ours("<用户>");
    out.theirs(talk.is_open(i) ? trimmed_front(turn.text) : trimmed(turn.text));
    if (user) out.ours("<AI>");
  }
}

void falcon3_tools(const Conversation& talk, Prompt& out) {
  out.ours("<|system|>\n");
  if (talk.system()) out.theirs(talk.system()->text);
  std::string list = "[";
  for (const Tool& tool : talk.tools) list += (list.size() > 1 ? "," : "") + tool.json;
  out.ours(
         "You are a Falcon assistant skilled in function calling. You are helpful, respectful, and "
         "concise.\n\n# Tools\n\nYou have access to the following functions. You MUST use them to "
         "answer questions when needed. For each function call, you MUST return a JSON object "
         "inside <tool_call></tool_call> tags.\n\n<tools>")
      .theirs(indent_json(list + "]", 2))
      .ours(
          "</tools>\n\n# Output Format\n\nYour response MUST follow this format when making "
          "function calls:\n<tool_call>\n[\n  {\"name\": \"function_name\", \"arguments\": "
          "{\"arg1\": \"value1\", \"arg2\": \"value2\"}},\n  {\"name\": \"another_function\", "
          "\"arguments\": {\"arg\": \"value\"}}\n]\n</tool_call>\nIf no function calls are needed, "
          "respond normally without the tool_call tags.\n");
}

void falcon3_calls(const Turn& turn, Prompt& out) {
  out.ours("\n<tool_call>\n[");
  for (std::size_t i = 0; i < turn.tool_calls.size(); ++i) {
    out.ours(i == 0 ? "\n" : ",\n");
    out.ours("  {\n    \"type\": \"function\",\n    \"function\": {\n      \"name\": ");
    out.theirs(dump_json(turn.tool_calls[i].name)).ours(",\n      \"arguments\": ");
    std::string arguments;  // the lines behind the first stand under the key
    for (const char c : indent_json(turn.tool_calls[i].arguments_json, 2)) {
      arguments += c;
      if (c == '\n') arguments += "      ";
    }
    out.theirs(arguments).ours("\n    }\n  }");
  }
  out.ours("\n]\n</tool_call>");
}

// Falcon3: <|role|>\n...\n, and an answer ends with <|endoftext|>.
void falcon3(const Conversation& talk, Prompt& out) {
  const bool tools = !talk.tools.empty();
  if (tools) falcon3_tools(talk, out);
  for (std::size_t i = tools ? talk.first() : 0; i < talk.turns.size(); ++i) {
    const Turn& turn = talk.turns[i];
    const bool calls = !turn.tool_calls.empty();
    if (turn.role == Role::kTool) {
      out.ours("<|assistant|>\n<tool_response>\n").theirs(turn.text).ours("\n</tool_response>\n");
      continue;
    }
    if (!calls || !turn.text.empty())
      out.ours("<|").ours(role_name(turn.role)).ours("|>\n").theirs(turn.text);
    if (calls) falcon3_calls(turn, out);
    if (talk.is_open(i)) return;
    out.ours(turn.role == Role::kAssistant ? "<|endoftext|>\n" : "\n");
  }
  out.ours("<|assistant|>\n");
}

constexpr std::array<std::string_view, 4> kBitNetHeaders{
    "System: ", "User: ", "Assistant: ", "Tool: "};

// "User: ...<|eot_id|>Assistant: ", as the model's publisher trained it.
void bitnet(const Conversation& talk, Prompt& out) {
  for (std::size_t i = 0; i < talk.turns.size(); ++i) {
    const Turn& turn = talk.turns[i];
    out.ours(kBitNetHeaders[static_cast<std::size_t>(turn.role)]);
    out.theirs(talk.is_open(i) ? trimmed_front(turn.text) : trimmed(turn.text));
    if (!talk.is_open(i)) out.ours("<|eot_id|>");
  }
  if (!talk.open()) out.ours("Assistant: ");
}

// The same as bitnet.cpp's own program prints it: nothing behind system texts and answers.
void bitnet_cpp(const Conversation& talk, Prompt& out) {
  bool answer_due = true;
  for (const Turn& turn : talk.turns) {
    if (turn.role == Role::kAssistant) {
      if (answer_due) out.ours("Assistant: ");
      out.theirs(turn.text);
    } else {
      out.ours(kBitNetHeaders[static_cast<std::size_t>(turn.role)]).theirs(turn.text);
    }
    const bool user = turn.role == Role::kUser;
    if (user) out.ours("<|eot_id|>Assistant: ");
    answer_due = !user;
  }
  if (!talk.open() && answer_due) out.ours("Assistant: ");
}

}  // namespace

void render_simple(const Conversation& talk, Prompt& out) {
  switch (talk.kind) {
    case TemplateKind::kPhi3:
      return phi3(talk, out);
    case TemplateKind::kPhi4:
      return phi4(talk, out);
    case TemplateKind::kMiniCpm:
      return minicpm(talk, out);
    case TemplateKind::kFalcon3:
      return falcon3(talk, out);
    case TemplateKind::kBitNetCpp:
      return bitnet_cpp(talk, out);
    default:
      return bitnet(talk, out);
  }
}

}  // namespace tophand::text
