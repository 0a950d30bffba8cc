// Any conversation through every template, and any answer through the tool-call parsers.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "text/chat_template.h"
#include "text/json_spacing.h"

using namespace tophand::text;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  std::vector<Turn> turns;
  for (std::size_t at = 0; at < input.size() && turns.size() < 64;) {
    const auto head = static_cast<std::uint8_t>(input[at]);
    const std::string text = input.substr(at + 1, head >> 2);
    Turn turn;
    turn.role = static_cast<Role>(head & 3);
    turn.text = text;
    if (head & 16) turn.tool_calls.push_back({"", text, text});
    turns.push_back(std::move(turn));
    at += 1 + (head >> 2);
  }
  (void)recognise_template(input, "llama");
  for (const char* name : {"chatml", "qwen2.5", "qwen2.5-braces", "smollm2", "llama3", "bitnet"}) {
    const TemplateKind kind = *template_by_name(name);
    const auto segments = render(kind, turns, {{input}});
    TOPHAND_ASSERT(!segments.empty());
    TOPHAND_ASSERT(tool_call_start(kind, input) <= input.size());
    const ParsedAnswer parsed = parse_answer(kind, input);
    TOPHAND_ASSERT(!parsed.tool_calls.empty() || parsed.text == input);
  }
  // Re-spacing twice changes nothing more.
  const std::string spaced = space_json(input);
  TOPHAND_ASSERT(input.find('"') != std::string::npos || space_json(spaced) == spaced);
  return 0;
}
