// Native renderers of the chat templates we ship: a conversation in, text segments out. Text that
// came from a person or a tool is marked, so that it cannot forge special tokens.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/segment.h"

namespace tophand::text {

// kQwen25Braces is kQwen25 as some of the publisher's files have it: with "{{" and "}}" around the
// example of a tool call. A model answers to the text that its own file carries.
enum class TemplateKind : std::uint8_t {
  kChatMl,
  kQwen25,
  kQwen25Braces,
  kSmolLm2,
  kLlama3,
  kBitNet,
};

// Chooses by the file's Jinja template (recognised by its content), never by running it. BitNet
// files are recognised by their architecture: an early upload carries a wrong template.
// kInvalid, with the names that --template takes, when nothing fits.
Result<TemplateKind> recognise_template(std::string_view jinja, std::string_view architecture);
Result<TemplateKind> template_by_name(std::string_view name);
std::string_view template_name(TemplateKind kind);

enum class Role : std::uint8_t { kSystem, kUser, kAssistant, kTool };

struct ToolCall {
  std::string id;
  std::string name;
  std::string arguments_json;  // an object, compact
};

struct Turn {
  Role role = Role::kUser;
  std::string text;
  std::vector<ToolCall> tool_calls = {};  // assistant only
  std::string tool_name = {};             // tool only
};

struct Tool {
  std::string json;  // {"type":"function","function":{...}}; white space in it does not matter
};

// True when the family's template says how tools are offered and called; the others leave tools
// out.
bool supports_tools(TemplateKind kind);

// The prompt up to and including the assistant's header. If the last turn is an assistant's, it is
// left open so that the model continues it (prefill). BOS is not part of it: Tokenizer::add_bos().
std::vector<Segment> render(TemplateKind kind, const std::vector<Turn>& turns,
                            const std::vector<Tool>& tools);

// Where a tool call may begin in `text`, which may still grow: the offset from which on a reader
// that streams has to hold text back; text.size() when nothing there can become a call.
std::size_t tool_call_start(TemplateKind kind, std::string_view text);

// Finds tool calls in finished text of this family (Hermes <tool_call> JSON, Llama-3 JSON).
// Returns the text without them and the calls; text that only looks like a call stays text.
struct ParsedAnswer {
  std::string text;
  std::vector<ToolCall> tool_calls;  // ids are left empty
};
ParsedAnswer parse_answer(TemplateKind kind, std::string_view answer);

}  // namespace tophand::text
