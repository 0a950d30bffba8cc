// Native renderers of the chat templates we know: a conversation in, text segments out. Text that
// came from a person or a tool is marked, so that it cannot forge special tokens. Each renderer
// prints what the family's own Jinja template prints (docs/formats/chat-templates.md says where it
// does not, and why). What models answer in these forms is read by answer_parser.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/segment.h"

namespace tophand::text {

enum class TemplateKind : std::uint8_t {
  kChatMl,
  kQwen25,
  kQwen25Braces,   // kQwen25 with "{{" and "}}" around its example of a call, as some files have it
  kQwen3,          // thinks unless told not to
  kQwen3Thinking,  // always thinks (2507)
  kQwen35,         // thinks unless told not to
  kQwen35Direct,   // thinks only when told to
  kQwen36,         // kQwen35 with arguments as JSON
  kQwen38,         // kQwen36 with its effort named, and the thoughts of all turns kept
  kSmolLm2,
  kLlama3,
  kLlama31,
  kLlama2,
  kMistralV1,  // [INST] is plain text
  kMistralV3,  // [INST] is a token, and there are tools
  kPhi3,
  kPhi4,
  kMiniCpm,
  kFalcon3,
  kBitNet,
  kBitNetCpp,  // as bitnet.cpp prints it
};

// Chooses by the file's Jinja template (recognised by its content, white space aside), never by
// running it. BitNet files are recognised by their architecture: an early upload carries a wrong
// template. kInvalid, with the names that can be forced and how, when nothing fits.
Result<TemplateKind> recognise_template(std::string_view jinja, std::string_view architecture);
Result<TemplateKind> template_by_name(std::string_view name);
std::string_view template_name(TemplateKind kind);
std::vector<std::string_view> template_names();

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
  std::string reasoning = {};             // assistant only: what it thought before it answered
  std::string tool_name = {};             // tool only
  std::string tool_call_id = {};          // tool only: the call that this answers
};

struct Tool {
  std::string json;  // {"type":"function","function":{...}}; white space in it does not matter
};

struct RenderOptions {
  std::optional<bool> think = {};  // absent: the template's default. Other families do not ask
};

// True when the family's template says how tools are offered and called; the others leave tools
// out.
bool supports_tools(TemplateKind kind);

// True when answers of the family may begin with <think>...</think>.
bool may_think(TemplateKind kind);

// True when the prompt ends inside of <think>, so that the answer begins with thoughts.
bool opens_thinking(TemplateKind kind, const std::vector<Turn>& turns, RenderOptions options);

// True for families that begin every prompt with BOS whatever the file's add_bos_token says.
bool begins_with_bos(TemplateKind kind);

// The prompt up to and including the assistant's header. If the last turn is an assistant's, it is
// left open so that the model continues it (prefill). BOS is not part of it.
std::vector<Segment> render(TemplateKind kind, const std::vector<Turn>& turns,
                            const std::vector<Tool>& tools, RenderOptions options = {});

}  // namespace tophand::text
