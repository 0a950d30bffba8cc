#include "text/chat_template.h"

#include <array>

#include "text/json_spacing.h"

namespace tophand::text {
namespace {

struct Family {
  TemplateKind kind;
  std::string_view name;
  bool tools;
};

constexpr std::array kFamilies{
    Family{TemplateKind::kChatMl, "chatml", true},
    Family{TemplateKind::kQwen25, "qwen2.5", true},
    Family{TemplateKind::kQwen25Braces, "qwen2.5-braces", true},
    Family{TemplateKind::kSmolLm2, "smollm2", false},
    Family{TemplateKind::kLlama3, "llama3", true},
    Family{TemplateKind::kBitNet, "bitnet", false},
};

constexpr std::string_view kQwenSystem =
    "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.";
constexpr std::string_view kSmolLmSystem =
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face";

const Family& family_of(TemplateKind kind) {
  return kFamilies[static_cast<std::size_t>(kind)];
}

std::string known_names() {
  std::string names;
  for (const Family& family : kFamilies)
    names += (names.empty() ? "" : ", ") + std::string(family.name);
  return names;
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::string_view role_name(Role role) {
  switch (role) {
    case Role::kSystem:
      return "system";
    case Role::kUser:
      return "user";
    case Role::kAssistant:
      return "assistant";
    case Role::kTool:
      return "tool";
  }
  return "user";
}

// Python's str.strip() as Jinja's `trim` filter applies it, for ASCII white space.
std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\n\r\f\v";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// Gathers segments; neighbours of one kind are joined.
class Prompt {
 public:
  Prompt& ours(std::string_view text) { return add(text, true); }
  Prompt& theirs(std::string_view text) { return add(text, false); }
  std::vector<Segment> take() { return std::move(segments_); }

 private:
  Prompt& add(std::string_view text, bool trusted) {
    if (text.empty()) return *this;
    if (!segments_.empty() && segments_.back().trusted == trusted) segments_.back().text += text;
    else segments_.push_back({std::string(text), trusted});
    return *this;
  }
  std::vector<Segment> segments_;
};

// --- ChatML: <|im_start|>role\n...<|im_end|>\n ---------------------------------------------------

void chatml_header(std::string_view role, Prompt& out) {
  out.ours("<|im_start|>").ours(role).ours("\n");
}

// The tools part of a system turn, in the Hermes form that Qwen2.5 was trained on.
void hermes_tools(TemplateKind kind, const std::vector<Tool>& tools, Prompt& out) {
  const bool braces = kind == TemplateKind::kQwen25Braces;
  out.ours(
      "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
      "You are provided with function signatures within <tools></tools> XML tags:\n<tools>");
  for (const Tool& tool : tools) out.ours("\n").theirs(space_json(tool.json));
  out.ours(
         "\n</tools>\n\nFor each function call, return a json object with function name and "
         "arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n")
      .ours(braces ? "{{" : "{")
      .ours("\"name\": <function-name>, \"arguments\": <args-json-object>")
      .ours(braces ? "}}" : "}")
      .ours("\n</tool_call>");
}

// Qwen2.5 always has a system turn; plain ChatML only when there is something to say in it.
void chatml_system(TemplateKind kind, const Turn* system, const std::vector<Tool>& tools,
                   Prompt& out) {
  const bool qwen = kind == TemplateKind::kQwen25 || kind == TemplateKind::kQwen25Braces;
  if (!system && tools.empty() && !qwen) return;
  chatml_header("system", out);
  if (system) out.theirs(system->text);
  else if (qwen) out.ours(kQwenSystem);
  if (!tools.empty()) {
    if (system || qwen) out.ours("\n\n");
    hermes_tools(kind, tools, out);
  }
  out.ours("<|im_end|>\n");
}

void hermes_calls(const Turn& turn, Prompt& out) {
  for (const ToolCall& call : turn.tool_calls)
    out.ours("\n<tool_call>\n{\"name\": \"")
        .theirs(call.name)
        .ours("\", \"arguments\": ")
        .theirs(space_json(call.arguments_json))
        .ours("}\n</tool_call>");
}

// Consecutive tool results share one user turn.
void hermes_result(const std::vector<Turn>& turns, std::size_t i, Prompt& out) {
  if (i == 0 || turns[i - 1].role != Role::kTool) out.ours("<|im_start|>user");
  out.ours("\n<tool_response>\n").theirs(turns[i].text).ours("\n</tool_response>");
  if (i + 1 == turns.size() || turns[i + 1].role != Role::kTool) out.ours("<|im_end|>\n");
}

void hermes_turns(TemplateKind kind, const std::vector<Turn>& turns, const std::vector<Tool>& tools,
                  Prompt& out) {
  const bool system_first = !turns.empty() && turns[0].role == Role::kSystem;
  chatml_system(kind, system_first ? &turns[0] : nullptr, tools, out);
  for (std::size_t i = system_first ? 1 : 0; i < turns.size(); ++i) {
    const Turn& turn = turns[i];
    if (turn.role == Role::kTool) {
      hermes_result(turns, i, out);
      continue;
    }
    const bool calls = turn.role == Role::kAssistant && !turn.tool_calls.empty();
    out.ours("<|im_start|>").ours(role_name(turn.role));
    if (!calls || !turn.text.empty()) out.ours("\n").theirs(turn.text);
    if (calls) hermes_calls(turn, out);
    const bool open = i + 1 == turns.size() && turn.role == Role::kAssistant;
    if (!open) out.ours("<|im_end|>\n");
  }
}

void smollm2_turns(const std::vector<Turn>& turns, Prompt& out) {
  if (!turns.empty() && turns[0].role != Role::kSystem) {
    chatml_header("system", out);
    out.ours(kSmolLmSystem).ours("<|im_end|>\n");
  }
  for (std::size_t i = 0; i < turns.size(); ++i) {
    chatml_header(role_name(turns[i].role), out);
    out.theirs(turns[i].text);
    const bool open = i + 1 == turns.size() && turns[i].role == Role::kAssistant;
    if (!open) out.ours("<|im_end|>\n");
  }
}

// --- Llama 3: <|start_header_id|>role<|end_header_id|>\n\n...<|eot_id|> --------------------------

void llama3_header(std::string_view role, Prompt& out) {
  out.ours("<|start_header_id|>").ours(role).ours("<|end_header_id|>\n\n");
}

// Llama 3.1 offers tools in the first user turn.
void llama3_tools(const std::vector<Tool>& tools, Prompt& out) {
  out.ours(
      "Given the following functions, please respond with a JSON for a function call with its "
      "proper arguments that best answers the given prompt.\n\nRespond in the format {\"name\": "
      "function name, \"parameters\": dictionary of argument name and its value}.Do not use "
      "variables.\n\n");
  for (const Tool& tool : tools) out.theirs(indent_json(tool.json, 4)).ours("\n\n");
}

void llama3_body(const Turn& turn, Prompt& out) {
  if (turn.role != Role::kAssistant || turn.tool_calls.empty()) {
    out.theirs(trimmed(turn.text));
    return;
  }
  for (std::size_t i = 0; i < turn.tool_calls.size(); ++i)
    out.ours(i == 0 ? "{\"name\": \"" : "; {\"name\": \"")
        .theirs(turn.tool_calls[i].name)
        .ours("\", \"parameters\": ")
        .theirs(space_json(turn.tool_calls[i].arguments_json))
        .ours("}");
}

void llama3_turns(const std::vector<Turn>& turns, const std::vector<Tool>& tools, Prompt& out) {
  bool tools_due = !tools.empty();
  const bool system_first = !turns.empty() && turns[0].role == Role::kSystem;
  if (tools_due) {
    llama3_header("system", out);
    out.ours("Environment: ipython\n");
    if (system_first) out.theirs(trimmed(turns[0].text));
    out.ours("<|eot_id|>");
  }
  for (std::size_t i = system_first && !tools.empty() ? 1 : 0; i < turns.size(); ++i) {
    const Turn& turn = turns[i];
    llama3_header(turn.role == Role::kTool ? "ipython" : role_name(turn.role), out);
    if (tools_due && turn.role == Role::kUser) {
      llama3_tools(tools, out);
      tools_due = false;
    }
    llama3_body(turn, out);
    const bool open = i + 1 == turns.size() && turn.role == Role::kAssistant;
    if (!open) out.ours("<|eot_id|>");
  }
}

// --- BitNet b1.58 2B4T: "User: ...<|eot_id|>Assistant: " -----------------------------------------

void bitnet_turns(const std::vector<Turn>& turns, Prompt& out) {
  constexpr std::array<std::string_view, 4> kHeaders{"System: ", "User: ", "Assistant: ", "Tool: "};
  for (std::size_t i = 0; i < turns.size(); ++i) {
    const Turn& turn = turns[i];
    out.ours(kHeaders[static_cast<std::size_t>(turn.role)]).theirs(trimmed(turn.text));
    const bool open = i + 1 == turns.size() && turn.role == Role::kAssistant;
    if (!open) out.ours("<|eot_id|>");
  }
}

}  // namespace

Result<TemplateKind> recognise_template(std::string_view jinja, std::string_view architecture) {
  if (architecture.starts_with("bitnet")) return TemplateKind::kBitNet;
  const auto force = "; --template forces one of " + known_names();
  if (jinja.empty()) return fail(Code::kInvalid, "the model file has no chat template" + force);
  if (has(jinja, "<|start_header_id|>")) return TemplateKind::kLlama3;
  if (has(jinja, "<|im_start|>") && !has(jinja, "enable_thinking") && !has(jinja, "<think>")) {
    if (has(jinja, "You are Qwen, created by Alibaba Cloud"))
      return has(jinja, "{{\\\"name\\\": <function-name>") ? TemplateKind::kQwen25Braces
                                                           : TemplateKind::kQwen25;
    if (has(jinja, "named SmolLM, trained by Hugging Face")) return TemplateKind::kSmolLm2;
    if (!has(jinja, "You are")) return TemplateKind::kChatMl;
  }
  return fail(Code::kInvalid, "the model file's chat template is none of those known" + force);
}

Result<TemplateKind> template_by_name(std::string_view name) {
  for (const Family& family : kFamilies)
    if (family.name == name) return family.kind;
  return fail(Code::kInvalid, "unknown chat template \"" + std::string(name.substr(0, 64)) +
                                  "\"; known are " + known_names());
}

std::string_view template_name(TemplateKind kind) {
  return family_of(kind).name;
}

bool supports_tools(TemplateKind kind) {
  return family_of(kind).tools;
}

std::vector<Segment> render(TemplateKind kind, const std::vector<Turn>& turns,
                            const std::vector<Tool>& tools) {
  Prompt out;
  const bool open = !turns.empty() && turns.back().role == Role::kAssistant;
  switch (kind) {
    case TemplateKind::kChatMl:
    case TemplateKind::kQwen25:
    case TemplateKind::kQwen25Braces:
      hermes_turns(kind, turns, tools, out);
      break;
    case TemplateKind::kSmolLm2:
      smollm2_turns(turns, out);
      break;
    case TemplateKind::kLlama3:
      llama3_turns(turns, tools, out);
      break;
    case TemplateKind::kBitNet:
      bitnet_turns(turns, out);
      break;
  }
  if (open) return out.take();
  switch (kind) {
    case TemplateKind::kLlama3:
      llama3_header("assistant", out);
      break;
    case TemplateKind::kBitNet:
      out.ours("Assistant: ");
      break;
    default:
      chatml_header("assistant", out);
  }
  return out.take();
}

}  // namespace tophand::text
