// Qwen3 and Qwen3.5: ChatML with thoughts in <think>...</think>. Thoughts are shown only behind the
// last thing a person said, so that a model that works through tool calls still sees them. Qwen3
// calls tools in the Hermes form, Qwen3.5 in XML.
#include "base/json.h"
#include "text/json_spacing.h"
#include "text/prompt_builder.h"

namespace tophand::text {
namespace {

constexpr std::string_view kThinkOpen = "<think>", kThinkClose = "</think>";

bool is_qwen35(TemplateKind kind) {
  return kind == TemplateKind::kQwen35 || kind == TemplateKind::kQwen35Direct ||
         kind == TemplateKind::kQwen36 || kind == TemplateKind::kQwen38;
}

// What an assistant's turn thought and what it said. A client that knows no thinking blocks sends
// both in the text.
struct Said {
  std::string_view reasoning, text;
};

std::string_view front_newlines_off(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of('\n'), text.size()));
}

Said split_reasoning(const Turn& turn) {
  const std::string_view text = turn.text;
  const std::size_t first = text.find(kThinkClose);
  if (!turn.reasoning.empty() || first == std::string_view::npos) return {turn.reasoning, text};
  std::string_view before = text.substr(0, first);
  if (const std::size_t open = before.rfind(kThinkOpen); open != std::string_view::npos)
    before.remove_prefix(open + kThinkOpen.size());
  const std::size_t last = text.rfind(kThinkClose);
  return {without_newlines_around(before),
          front_newlines_off(text.substr(last + kThinkClose.size()))};
}

// The last user turn that is not a tool's result in disguise; none: the last turn of all.
std::size_t last_query(const Conversation& talk) {
  for (std::size_t i = talk.turns.size(); i > 0; --i) {
    const Turn& turn = talk.turns[i - 1];
    const std::string_view text = is_qwen35(talk.kind) ? trimmed(turn.text) : turn.text;
    const bool result = text.starts_with("<tool_response>") && text.ends_with("</tool_response>");
    if (turn.role == Role::kUser && !result) return i - 1;
  }
  return talk.turns.empty() ? 0 : talk.turns.size() - 1;
}

void xml_tools(const Conversation& talk, Prompt& out) {
  out.ours("# Tools\n\nYou have access to the following functions:\n\n<tools>");
  for (const Tool& tool : talk.tools) out.ours("\n").theirs(space_json(tool.json));
  out.ours(
      "\n</tools>\n\nIf you choose to call a function ONLY reply in the following format with NO "
      "suffix:\n\n<tool_call>\n<function=example_function_name>\n<parameter=example_parameter_1>\n"
      "value_1\n</parameter>\n<parameter=example_parameter_2>\nThis is the value for the second "
      "parameter\nthat can span\nmultiple lines\n</parameter>\n</function>\n</tool_call>\n\n"
      "<IMPORTANT>\nReminder:\n- Function calls MUST follow the specified format: an inner "
      "<function=...></function> block must be nested within <tool_call></tool_call> XML tags\n"
      "- Required parameters MUST be specified\n- You may provide optional reasoning for your "
      "function call in natural language BEFORE the function call, but NOT after\n- If there is no "
      "function call available, answer the question like normal with your current knowledge and do "
      "not tell the user about function calls\n</IMPORTANT>");
}

// An argument as JSON or, as Qwen3.5 has it, as Jinja's `string` filter prints it: Python's str().
std::string argument_text(TemplateKind kind, const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (kind == TemplateKind::kQwen36 || kind == TemplateKind::kQwen38)
    return space_json(dump_json(value));
  if (value.is_boolean()) return value.get<bool>() ? "True" : "False";
  if (value.is_null()) return "None";
  return space_json(dump_json(value));
}

void xml_call(TemplateKind kind, const ToolCall& call, Prompt& out) {
  out.ours("<tool_call>\n<function=").theirs(call.name).ours(">\n");
  const auto arguments = parse_json(call.arguments_json);
  if (arguments && arguments->is_object())
    for (const auto& [name, value] : arguments->items())
      out.ours("<parameter=")
          .theirs(name)
          .ours(">\n")
          .theirs(argument_text(kind, value))
          .ours("\n</parameter>\n");
  out.ours("</function>\n</tool_call>");
}

void system_turn(const Conversation& talk, Prompt& out) {
  const std::string_view effort =
      talk.kind == TemplateKind::kQwen38 && talk.options.think.value_or(true) ? kQwen38Effort : "";
  const bool silent = talk.kind == TemplateKind::kQwen38 && effort.empty() && talk.system() &&
                      trimmed(talk.system()->text).empty();
  if (talk.tools.empty() && effort.empty() && (!talk.system() || silent)) return;
  out.ours("<|im_start|>system\n");
  if (!is_qwen35(talk.kind)) {
    if (talk.system()) out.theirs(talk.system()->text);
    if (!talk.tools.empty()) {
      if (talk.system()) out.ours("\n\n");
      hermes_tools(talk, out);
    }
  } else {
    const std::string_view text = talk.system() ? trimmed(talk.system()->text) : "";
    out.ours(effort);
    if (!effort.empty() && !(talk.tools.empty() && text.empty())) out.ours("\n\n");
    if (!talk.tools.empty()) xml_tools(talk, out);
    if (!talk.tools.empty() && !text.empty()) out.ours("\n\n");
    out.theirs(text);
  }
  out.ours("<|im_end|>\n");
}

void assistant_turn(const Conversation& talk, std::size_t i, bool behind_query, Prompt& out) {
  const Turn& turn = talk.turns[i];
  const bool xml = is_qwen35(talk.kind);
  const bool keeps = talk.kind == TemplateKind::kQwen38;
  Said said = keeps ? Said{turn.reasoning, turn.text} : split_reasoning(turn);
  const bool thought = !said.reasoning.empty();  // white space counts, as in the file's text
  said.reasoning = xml ? trimmed(said.reasoning) : without_newlines_around(said.reasoning);
  if (xml) said.text = trimmed(said.text);
  const bool last = i + 1 == talk.turns.size();
  const bool shows = keeps || (behind_query && (xml || last || thought));
  out.ours("<|im_start|>assistant\n");
  if (shows) {
    out.ours("<think>\n").theirs(said.reasoning).ours("\n</think>\n\n");
    if (!xml) said.text = front_newlines_off(said.text);
  }
  out.theirs(said.text);
  for (std::size_t c = 0; c < turn.tool_calls.size(); ++c) {
    if (c > 0) out.ours("\n");
    else if (!said.text.empty()) out.ours(xml ? "\n\n" : "\n");
    if (xml) xml_call(talk.kind, turn.tool_calls[c], out);
    else hermes_call(turn.tool_calls[c], out);
  }
  if (!talk.is_open(i)) out.ours("<|im_end|>\n");
}

}  // namespace

void render_qwen3(const Conversation& talk, Prompt& out) {
  const bool xml = is_qwen35(talk.kind);
  system_turn(talk, out);
  const std::size_t query = last_query(talk);
  for (std::size_t i = talk.first(); i < talk.turns.size(); ++i) {
    const Turn& turn = talk.turns[i];
    const std::string_view text = xml ? trimmed(turn.text) : turn.text;
    if (turn.role == Role::kAssistant) {
      assistant_turn(talk, i, i > query, out);
    } else if (turn.role == Role::kTool) {
      hermes_result(talk, i, text, out);
    } else {
      out.ours("<|im_start|>").ours(role_name(turn.role)).ours("\n").theirs(text);
      out.ours("<|im_end|>\n");
    }
  }
  if (talk.open()) return;
  out.ours("<|im_start|>assistant\n");
  if (opens_thinking(talk.kind, talk.turns, talk.options)) out.ours("<think>\n");
  else if (xml || talk.options.think == false) out.ours("<think>\n\n</think>\n\n");
}

}  // namespace tophand::text
