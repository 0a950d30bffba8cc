#include "server/caller.h"

#include <algorithm>
#include <functional>
#include <ranges>
#include <variant>

#include "base/json.h"
#include "server/keys.h"

namespace tophand::server {
namespace {

constexpr std::size_t kNameBytesMax = 64;
constexpr std::size_t kBeginningBytesMax =
    4096;  // of the first message, for telling it from others
constexpr std::size_t kHashDigits = 16;

// Quick, and no secret hangs on it. Of each text the library's hash, joined as FNV-1a joins bytes
// (RFC 9923), so that "ab","c" is not "a","bc".
class Hash {
 public:
  void add(std::string_view text) {
    state_ = (state_ ^ std::hash<std::string_view>()(text)) * 0x100000001b3;
  }
  std::uint64_t value() const { return state_ == 0 ? 1 : state_; }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325;
};

bool is_plain_id(std::string_view text) {
  return !text.empty() && text.size() <= kNameBytesMax &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; }) &&
         text.find('@') == std::string_view::npos;  // an address is a person's
}

std::string hashed(std::string_view kind, std::string_view text) {
  return std::string(kind) + sha256_hex(text).substr(0, kHashDigits);
}

// Claude Code's metadata.user_id: an object as text in newer versions, user_HASH_account_ID_
// session_ID in older ones (shared by its releases since 2025).
struct UserId {
  std::string user, session;
};
UserId split_user_id(const std::string& text) {
  constexpr std::string_view kSession = "_session_";
  if (text.starts_with('{') && text.size() < 4096) {
    const auto parsed = parse_json(text);
    if (!parsed || !parsed->is_object()) return {text, ""};
    return {std::string(string_or(*parsed, "device_id", text)),
            std::string(string_or(*parsed, "session_id", ""))};
  }
  const std::size_t mark = text.rfind(kSession);
  if (!text.starts_with("user_") || mark == std::string::npos) return {text, ""};
  return {text.substr(0, mark), text.substr(mark + kSession.size())};
}

std::string_view first_of(const net::Headers& headers,
                          std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names)
    if (const std::string_view value = headers.get(name); !value.empty()) return value;
  return "";
}

struct BlockBytes {
  std::size_t operator()(const chat::TextBlock& block) const { return block.text.size(); }
  std::size_t operator()(const chat::ImageBlock&) const { return 0; }
  std::size_t operator()(const chat::ToolUseBlock& block) const {
    return block.name.size() + block.input_json.size();
  }
  std::size_t operator()(const chat::ToolResultBlock& block) const { return block.text.size(); }
  std::size_t operator()(const chat::ThinkingBlock& block) const { return block.thinking.size(); }
  std::size_t operator()(const chat::OpaqueBlock& block) const { return block.json.size(); }
};

bool is_image(const chat::Block& block) {
  const auto* opaque = std::get_if<chat::OpaqueBlock>(&block);  // one that lies with Claude
  return std::holds_alternative<chat::ImageBlock>(block) ||
         (opaque != nullptr && opaque->type == "image");
}

void measure(const chat::Request& request, Caller& caller) {
  std::size_t bytes = 0;
  for (const chat::Message& message : request.messages)
    for (const chat::Block& block : message.blocks) {
      bytes += std::visit(BlockBytes{}, block);
      caller.has_images = caller.has_images || is_image(block);
    }
  for (const chat::Tool& tool : request.tools)
    bytes += tool.name.size() + tool.description.size() + tool.input_schema_json.size();
  caller.prompt_bytes = static_cast<std::int64_t>(bytes);
}

// Clients put texts of their own behind a tool's answer, as further messages of the user's.
bool ends_in_tool_result(const chat::Request& request) {
  for (const chat::Message& message : std::views::reverse(request.messages)) {
    if (message.role == chat::Role::kAssistant) return false;
    for (const chat::Block& block : message.blocks)
      if (std::holds_alternative<chat::ToolResultBlock>(block)) return true;
  }
  return false;
}

void add_beginning(const chat::Request& request, Hash& hash) {
  const auto first = std::ranges::find(request.messages, chat::Role::kUser, &chat::Message::role);
  if (first == request.messages.end()) return;
  std::size_t left = kBeginningBytesMax;
  for (const chat::Block& block : first->blocks)
    if (const auto* text = std::get_if<chat::TextBlock>(&block); text != nullptr && left > 0) {
      const std::string_view part = std::string_view(text->text).substr(0, left);
      hash.add(part);
      left -= part.size();
    }
}

}  // namespace

std::string id_or_hash(std::string_view kind, std::string_view text) {
  if (text.empty()) return "";
  return is_plain_id(text) ? std::string(text) : hashed(kind, text);
}

Caller caller_of(std::string_view key_id, const net::Headers& headers,
                 const chat::Request& request) {
  Caller caller;
  measure(request, caller);
  caller.in_tool_loop = ends_in_tool_result(request);
  const UserId user = split_user_id(request.user);
  std::string_view agent =
      first_of(headers, {"x-tophand-agent", "x-openclaw-agent", "x-claude-code-agent-type"});
  if (agent.empty()) agent = request.agent;
  if (!agent.empty()) {
    caller.agent = id_or_hash("a-", agent);
    if (caller.agent != agent) caller.agent_said = agent;
  } else if (!user.user.empty()) {
    caller.agent = hashed("u-", user.user);
  }
  std::string_view session =
      first_of(headers, {"x-tophand-session", "x-claude-code-session-id", "x-openclaw-session",
                         "session-id", "x-session-id"});
  if (session.empty()) session = request.session.empty() ? user.session : request.session;
  caller.session = id_or_hash("s-", session);

  Hash hash;
  hash.add(key_id);
  hash.add(caller.agent);
  hash.add(headers.get("x-claude-code-agent-id"));
  hash.add(caller.session);
  if (!caller.session.empty()) caller.conversation.session = hash.value();
  add_beginning(request, hash);
  caller.conversation.conversation = hash.value();
  if (caller.session.empty()) {
    std::string digits(kHashDigits, '0');
    std::uint64_t rest = hash.value();
    for (char& digit : std::views::reverse(digits)) {
      digit = "0123456789abcdef"[rest & 15];
      rest >>= 4;
    }
    caller.session = "c-" + digits;
  }
  return caller;
}

}  // namespace tophand::server
