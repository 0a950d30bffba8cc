// Any conversation through every template.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/assert.h"
#include "text/chat_template.h"
#include "text/json_spacing.h"
#include "text/template_prints.h"

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
  (void)recognise_template("<|im_start|><|im_end|>" + input, "llama");  // past the marks
  for (const std::string& print : template_prints(input))
    TOPHAND_ASSERT(!print.empty() && print.size() <= input.size() * kEndOfText.size());
  for (const std::string_view name : template_names()) {
    const TemplateKind kind = *template_by_name(name);
    for (const auto think : {std::optional<bool>(), std::optional(true), std::optional(false)})
      TOPHAND_ASSERT(render(kind, turns, {{input}}, {think}).size() <= 2 * 64 * 16);
  }
  // Re-spacing twice changes nothing more.
  const std::string spaced = space_json(input);
  TOPHAND_ASSERT(input.find('"') != std::string::npos || space_json(spaced) == spaced);
  return 0;
}
