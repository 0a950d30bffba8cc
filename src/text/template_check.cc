#include "text/template_check.h"

#include <algorithm>
#include <array>
#include <set>
#include <vector>

#include "text/prompt_builder.h"
#include "text/template_prints.h"

namespace tophand::text {
namespace {

// In a rendered prompt: something that a person, a tool or the model said; a prompt's end.
constexpr char kSaid = kHole, kEnd = '\x02';
// More than any template known has; laying out takes time for each.
constexpr std::size_t kPrintsMax = 512;

struct Probe {
  std::vector<Turn> turns;
  std::vector<Tool> tools = {};
  RenderOptions options = {};
};

std::string rendered(TemplateKind kind, const Probe& probe) {
  std::string out;
  for (const Segment& segment : render(kind, probe.turns, probe.tools, probe.options))
    if (segment.trusted) out += segment.text;
    else if (!out.ends_with(kSaid)) out += kSaid;
  return out;
}

const Turn kSystem{.role = Role::kSystem, .text = "S"}, kUser{.text = "U"},
    kAnswer{.role = Role::kAssistant, .text = "A"}, kResult{.role = Role::kTool, .text = "R"};

std::vector<Probe> plain_probes() {
  return {{{kUser}}, {{kUser, kAnswer, kUser}}, {{kSystem, kUser}}};
}

std::vector<Probe> tool_and_thought_probes(TemplateKind kind) {
  const Tool tool{R"({"type":"function","function":{"name":"f","parameters":{}}})"};
  const ToolCall call{"abcdefghi", "f", R"({"a":1})"};
  Turn thought = kAnswer;
  if (may_think(kind)) thought.reasoning = "T";
  Turn calls = thought, silent = thought;
  calls.tool_calls = {call, call};
  silent.tool_calls = {call};
  silent.text.clear();
  return {{{kUser}, {tool}},
          {{kSystem, kUser, calls, kResult, kResult, silent, kResult}, {tool, tool}},
          {{kUser}, {}, {.think = false}},
          {{kUser}, {}, {.think = true}},
          {{kUser, thought}}};
}

// Printed for what no client of ours can ask (pictures, Llama's built-in tools, tools in its system
// turn), or in its place: Llama's date, which is written out in some files.
bool is_beside(TemplateKind kind, std::string_view literal) {
  constexpr std::array<std::string_view, 5> kPictures{
      "Picture ", "Video ", ": ", "<|vision_start|><|image_pad|><|vision_end|>",
      "<|vision_start|><|video_pad|><|vision_end|>"};
  constexpr std::array<std::string_view, 8> kBuiltIn{
      "Tools: ",
      "<|python_tag|>",
      ".call(",
      "=\"",
      ")",
      "<|eom_id|>",
      "26 July 2024",
      "You have access to the following functions. To call a function, please respond with JSON "
      "for a function call."};
  constexpr std::string_view kOtherEffort =
      "Reasoning effort is set to low. Keep your thinking brief and focused, moving directly to "
      "the conclusion without unnecessary elaboration.";
  const auto among = [&](const auto& list) {
    return std::ranges::find(list, literal) != list.end();
  };
  switch (kind) {
    case TemplateKind::kQwen38:
      return literal == kOtherEffort || among(kPictures);
    case TemplateKind::kQwen35:
    case TemplateKind::kQwen35Direct:
    case TemplateKind::kQwen36:
      return among(kPictures);
    case TemplateKind::kLlama31:
      return among(kBuiltIn);
    case TemplateKind::kPhi3:
      return literal == kEndOfText;  // where no answer is to follow
    default:
      return false;
  }
}

// Whether each string between a print's holes occurs in what the renderer makes of the probes.
bool prints_only_ours(TemplateKind kind, const std::set<std::string>& prints) {
  std::string ours;
  for (const Probe& probe : plain_probes()) ours += rendered(kind, probe) + kEnd;
  for (const Probe& probe : tool_and_thought_probes(kind)) ours += rendered(kind, probe) + kEnd;
  const auto known = [&](std::string_view literal) {
    return ours.find(literal) != std::string::npos || is_beside(kind, literal);
  };
  for (std::string_view print : prints)
    while (!print.empty()) {
      const std::size_t hole = std::min(print.find_first_of("\x01\x03"), print.size());
      if (!known(print.substr(0, hole))) return false;
      print.remove_prefix(std::min(hole + 1, print.size()));
    }
  return true;
}

// Where a print can end that begins at prompt[at].
std::vector<std::size_t> ends_of(std::string_view print, std::string_view prompt, std::size_t at) {
  constexpr std::array<std::string_view, 8> kRoles{"system", "user", "assistant", "tool",
                                                   "System", "User", "Assistant", "ipython"};
  // What expressions stand for: what was said, Llama's date, Qwen's effort.
  constexpr std::array<std::string_view, 3> kValues{"\x01", "26 Jul 2024", kQwen38Effort};
  std::vector<std::size_t> ends{at};
  while (!print.empty() && !ends.empty()) {
    const bool hole = print.front() == kHole || print.front() == kRoleHole;
    const std::size_t size = hole ? 1 : std::min(print.find_first_of("\x01\x03"), print.size());
    std::vector<std::size_t> next;
    for (const std::size_t end : ends) {
      const std::string_view rest = prompt.substr(end);
      const auto take = [&](std::string_view text) {
        if (rest.starts_with(text)) next.push_back(end + text.size());
      };
      if (!hole) {
        take(print.substr(0, size));
        continue;
      }
      next.push_back(end);
      std::ranges::for_each(kValues, take);
      if (print.front() == kRoleHole) std::ranges::for_each(kRoles, take);
    }
    std::ranges::sort(next);
    next.erase(std::unique(next.begin(), next.end()), next.end());
    ends = std::move(next);
    print.remove_prefix(size);
  }
  return ends;
}

// Whether a prompt can be laid out with prints, each whole and any number of times.
bool can_lay_out(std::string_view prompt, const std::set<std::string>& prints) {
  std::vector<bool> reached(prompt.size() + 1, false);
  reached[0] = true;
  for (std::size_t at = 0; at < prompt.size(); ++at)
    if (reached[at])
      for (const std::string& print : prints)
        for (const std::size_t end : ends_of(print, prompt, at)) reached[end] = true;
  return reached[prompt.size()];
}

bool prints_all_of_ours(TemplateKind kind, const std::set<std::string>& prints) {
  std::vector<Probe> probes = plain_probes();
  // Early texts of Phi-3 drop the system turn; ours shows it.
  if (kind == TemplateKind::kPhi3) probes.pop_back();
  // Thoughts, and tools in Qwen's form: the others' are lists that the text has Jinja spell.
  if (may_think(kind))
    for (Probe& probe : tool_and_thought_probes(kind)) probes.push_back(std::move(probe));
  return std::ranges::all_of(
      probes, [&](const Probe& probe) { return can_lay_out(rendered(kind, probe), prints); });
}

// Whether the prompt would end inside of thoughts although ours does not: the words are the same as
// in front of an earlier answer's thoughts.
bool opens_thoughts_as_we_do(TemplateKind kind, const std::set<std::string>& prints) {
  return opens_thinking(kind, {kUser}, {.think = true}) ||
         std::ranges::none_of(prints, [](const std::string& print) {
           return std::string_view(print)
               .substr(0, print.find_last_not_of('\n') + 1)
               .ends_with("<think>");
         });
}

bool trims_as_we_do(TemplateKind kind, std::string_view jinja) {
  std::string text;
  for (const char c : jinja)
    if (c != ' ') text += c;
  bool trims = false;
  for (const std::string_view form : {"['content']|trim", "['content'].strip()", ".content|trim",
                                      ".content.strip()", "content|trim", ")|trim"})
    trims = trims || text.find(form) != std::string::npos;
  const auto segments = render(kind, {{.text = " U "}}, {});
  const bool we_trim = std::ranges::none_of(
      segments, [](const Segment& segment) { return !segment.trusted && segment.text == " U "; });
  return trims == we_trim;
}

}  // namespace

bool prints_what_we_do(TemplateKind kind, std::string_view jinja) {
  if (jinja.find_first_of("\x01\x02\x03") != std::string_view::npos) return false;  // ours
  // These follow their publisher's encoder, from which the Jinja texts differ
  // (templates_mistral.cc).
  if (kind == TemplateKind::kLlama2 || kind == TemplateKind::kMistralV1 ||
      kind == TemplateKind::kMistralV3)
    return true;
  const std::set<std::string> prints = template_prints(jinja);
  return prints.size() <= kPrintsMax && trims_as_we_do(kind, jinja) &&
         opens_thoughts_as_we_do(kind, prints) && prints_only_ours(kind, prints) &&
         prints_all_of_ours(kind, prints);
}

}  // namespace tophand::text
