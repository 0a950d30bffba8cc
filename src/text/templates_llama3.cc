// Llama 3: <|start_header_id|>role<|end_header_id|>\n\n...<|eot_id|>, with the tools of 3.1, which
// the models of 3.0 are offered in the same way.
#include "base/json.h"
#include "text/json_spacing.h"
#include "text/prompt_builder.h"

namespace tophand::text {
namespace {

// The day that 3.1's own template writes when it is told none. A true date would change the
// beginning of every prompt daily, and with it what can be reused of the last one.
constexpr std::string_view kDates =
    "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n";

void header(std::string_view role, Prompt& out) {
  out.ours("<|start_header_id|>").ours(role).ours("<|end_header_id|>\n\n");
}

// Tools are offered in the first user turn.
void tools_text(const std::vector<Tool>& tools, Prompt& out) {
  out.ours(
      "Given the following functions, please respond with a JSON for a function call with its "
      "proper arguments that best answers the given prompt.\n\nRespond in the format {\"name\": "
      "function name, \"parameters\": dictionary of argument name and its value}.Do not use "
      "variables.\n\n");
  for (const Tool& tool : tools) out.theirs(indent_json(tool.json, 4)).ours("\n\n");
}

// 3.0 has a system turn only when there is something to say in it, 3.1 always.
void system_turn(const Conversation& talk, Prompt& out) {
  const bool dated = talk.kind == TemplateKind::kLlama31;
  if (!talk.system() && talk.tools.empty() && !dated) return;
  header("system", out);
  if (!talk.tools.empty()) out.ours("Environment: ipython\n");
  if (dated) out.ours(kDates);
  if (talk.system()) out.theirs(trimmed(talk.system()->text));
  out.ours("<|eot_id|>");
}

void body(const Conversation& talk, const Turn& turn, Prompt& out) {
  const bool calls = turn.role == Role::kAssistant && !turn.tool_calls.empty();
  if (turn.role == Role::kTool && talk.kind == TemplateKind::kLlama31) {
    out.theirs(dump_json(turn.text));  // the template prints a result as a JSON string
  } else if (!calls) {
    out.theirs(trimmed(turn.text));
  }
  if (!calls) return;
  for (std::size_t i = 0; i < turn.tool_calls.size(); ++i)
    out.ours(i == 0 ? "{\"name\": \"" : "; {\"name\": \"")
        .theirs(turn.tool_calls[i].name)
        .ours("\", \"parameters\": ")
        .theirs(space_json(turn.tool_calls[i].arguments_json))
        .ours("}");
}

}  // namespace

void render_llama3(const Conversation& talk, Prompt& out) {
  system_turn(talk, out);
  bool tools_due = !talk.tools.empty();
  for (std::size_t i = talk.first(); i < talk.turns.size(); ++i) {
    const Turn& turn = talk.turns[i];
    header(turn.role == Role::kTool ? "ipython" : role_name(turn.role), out);
    if (tools_due && turn.role == Role::kUser) {
      tools_text(talk.tools, out);
      tools_due = false;
    }
    body(talk, turn, out);
    if (!talk.is_open(i)) out.ours("<|eot_id|>");
  }
  if (!talk.open()) header("assistant", out);
}

}  // namespace tophand::text
