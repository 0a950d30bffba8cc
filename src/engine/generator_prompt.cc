#include "engine/generator_prompt.h"

#include <utility>

#include "base/json.h"

namespace tophand::engine {
namespace {

text::Role role_of(chat::Role role) {
  switch (role) {
    case chat::Role::kSystem:
      return text::Role::kSystem;
    case chat::Role::kUser:
      return text::Role::kUser;
    case chat::Role::kAssistant:
      return text::Role::kAssistant;
  }
  return text::Role::kUser;
}

void join(std::string& into, std::string_view text, std::string_view between) {
  if (!into.empty()) into += between;
  into += text;
}

void append_turns(const chat::Message& message, std::vector<text::Turn>& turns) {
  text::Turn turn{.role = role_of(message.role), .text = {}};
  bool only_results = !message.blocks.empty();
  for (const chat::Block& block : message.blocks) {
    if (const auto* result = std::get_if<chat::ToolResultBlock>(&block)) {
      turns.push_back({.role = text::Role::kTool,
                       .text = result->is_error ? "Error: " + result->text : result->text,
                       .tool_name = result->tool_name,
                       .tool_call_id = result->tool_use_id});
      continue;
    }
    only_results = false;
    if (const auto* part = std::get_if<chat::TextBlock>(&block)) join(turn.text, part->text, "\n");
    if (const auto* part = std::get_if<chat::ThinkingBlock>(&block))
      join(turn.reasoning, part->thinking, "\n");
    if (const auto* call = std::get_if<chat::ToolUseBlock>(&block))
      turn.tool_calls.push_back({call->id, call->name, call->input_json});
  }
  if (!only_results) turns.push_back(std::move(turn));
}

}  // namespace

std::vector<text::Turn> turns_of(const chat::Request& request) {
  std::vector<text::Turn> turns;
  for (const chat::Message& message : request.messages) {
    const std::size_t before = turns.size();
    append_turns(message, turns);
    const bool second_system = before == 1 && turns.size() == 2 &&
                               turns[0].role == text::Role::kSystem &&
                               turns[1].role == text::Role::kSystem;
    if (!second_system) continue;
    join(turns[0].text, turns[1].text, "\n\n");
    turns.pop_back();
  }
  return turns;
}

Result<std::vector<text::Tool>> tools_of(const chat::Request& request, text::TemplateKind kind) {
  std::vector<text::Tool> tools;
  const bool named = request.tool_choice.kind == chat::ToolChoice::Kind::kNamed;
  if (request.tool_choice.kind == chat::ToolChoice::Kind::kNone || !text::supports_tools(kind))
    return tools;
  for (const chat::Tool& tool : request.tools) {
    if (named && tool.name != request.tool_choice.name) continue;
    const std::string schema = tool.input_schema_json.empty() ? "{}" : tool.input_schema_json;
    tools.push_back({R"({"type":"function","function":{"name":)" + dump_json(tool.name) +
                     R"(,"description":)" + dump_json(tool.description) + R"(,"parameters":)" +
                     schema + "}}"});
  }
  if (named && tools.empty() && !request.tools.empty())
    return fail(Code::kInvalid, "tool_choice names '" + request.tool_choice.name +
                                    "', which is not among the tools");
  return tools;
}

namespace {

bool calls_for_tool(const chat::Request& request, text::TemplateKind kind) {
  using Kind = chat::ToolChoice::Kind;
  const bool forced =
      request.tool_choice.kind == Kind::kAny || request.tool_choice.kind == Kind::kNamed;
  return forced && !request.tools.empty() && text::supports_tools(kind);
}

// A call up to the tool's name, and what stands between the name and the arguments. No space in
// front of the arguments: the models' own calls have it in one token with the brace, and behind a
// token of its own they wrote empty or broken arguments.
struct CallForm {
  std::string_view before, after;
};

CallForm call_form(text::TemplateKind kind) {
  using Kind = text::TemplateKind;
  switch (kind) {
    case Kind::kLlama3:
    case Kind::kLlama31:
      return {"{\"name\": \"", "\", \"parameters\":"};
    case Kind::kMistralV3:
      return {"[TOOL_CALLS][{\"name\": \"", "\", \"arguments\":"};
    case Kind::kFalcon3:
      return {"<tool_call>\n[\n  {\"name\": \"", "\", \"arguments\":"};
    case Kind::kQwen35:
    case Kind::kQwen35Direct:
    case Kind::kQwen36:
    case Kind::kQwen38:
      return {"<tool_call>\n<function=", ">\n"};
    case Kind::kQwen3Thinking:  // its prompt ends within <think>
      return {"</think>\n\n<tool_call>\n{\"name\": \"", "\", \"arguments\":"};
    default:
      return {"<tool_call>\n{\"name\": \"", "\", \"arguments\":"};
  }
}

}  // namespace

text::RenderOptions render_options_of(const chat::Request& request, text::TemplateKind kind) {
  if (calls_for_tool(request, kind)) return {.think = false};
  return {.think = request.think};
}

std::vector<text::Segment> forced_beginning(const chat::Request& request, text::TemplateKind kind) {
  if (!calls_for_tool(request, kind)) return {};
  const CallForm form = call_form(kind);
  std::vector<text::Segment> out{{std::string(form.before), true}};
  const bool any = request.tool_choice.kind == chat::ToolChoice::Kind::kAny;
  if (any && request.tools.size() > 1) return out;
  // Of one tool "any" names it too.
  const std::string name =
      dump_json(any ? request.tools[0].name : request.tool_choice.name);  // with its quotes
  out.push_back({name.substr(1, name.size() - 2), false});
  out.push_back({std::string(form.after), true});
  return out;
}

}  // namespace tophand::engine
