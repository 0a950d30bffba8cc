#include "chat/prompt_cache.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.h"
#include "chat/shorten.h"

namespace tophand::chat {
namespace {

// platform.claude.com/docs/en/build-with-claude/prompt-caching: marks of a request.
constexpr std::size_t kMarksMax = 4;
// No prompt below 1,024 tokens is kept, by any model; hardly any text has fewer bytes a token.
constexpr std::int64_t kBytesMin = 2048;

// Thinking, and what only its vendor knows, cannot carry a mark.
bool takes_mark(const Json& block) {
  constexpr std::array<std::string_view, 6> kTypes{"text",     "image",       "document",
                                                   "tool_use", "tool_result", "search_result"};
  return std::ranges::find(kTypes, string_or(block, "type", "")) != kTypes.end();
}

// The client's mark stays where there is one.
void add_mark(CacheMark mark, Json& object) {
  if (!object.contains("cache_control")) write_cache_mark(mark, object);
}

void mark_end(CacheMark mark, Json& message) {
  Json& content = message["content"];
  const auto last = std::find_if(content.rbegin(), content.rend(), takes_mark);
  if (last != content.rend()) add_mark(mark, *last);
}

void mark_system(CacheMark mark, Json& system) {
  if (system.is_string()) {
    Json block = Json::object();
    block["type"] = "text";
    block["text"] = std::move(system);
    system = Json::array({std::move(block)});
  }
  add_mark(mark, system.back());
}

// Those with a mark, in the order of the prompt.
void collect_marked(Json& list, std::vector<Json*>& marked) {
  if (!list.is_array()) return;
  for (Json& item : list)
    if (item.contains("cache_control")) marked.push_back(&item);
}

std::vector<Json*> marked_of(Json& body) {
  std::vector<Json*> marked;
  for (const char* part : {"tools", "system"})
    if (body.contains(part)) collect_marked(body[part], marked);
  for (Json& message : body["messages"]) collect_marked(message["content"], marked);
  return marked;
}

// The API takes four, and none for an hour behind one for five minutes: those in front of it last
// as long then.
void settle_marks(Json& body) {
  const std::vector<Json*> marked = marked_of(body);
  const std::size_t surplus = marked.size() - std::min(marked.size(), kMarksMax);
  for (std::size_t i = 0; i < surplus; ++i) marked[i]->erase("cache_control");
  bool hour = false;
  for (std::size_t i = marked.size(); i-- > surplus;) {
    if (hour) write_cache_mark(CacheMark::k1h, *marked[i]);
    hour = hour || string_or((*marked[i])["cache_control"], "ttl", "5m") != "5m";
  }
}

std::int64_t prompt_bytes(const Request& request) {
  std::int64_t bytes = conversation_bytes(request);
  for (const Tool& tool : request.tools)
    bytes += static_cast<std::int64_t>(tool.description.size() + tool.input_schema_json.size());
  return bytes;
}

// A tool that has to be called is how clients ask for one answer in a form; there is no next turn.
bool goes_on(const Request& request) {
  const bool chooses =
      !request.tools.empty() && request.tool_choice.kind == ToolChoice::Kind::kAuto;
  return chooses || std::ranges::any_of(request.messages, [](const Message& message) {
           return message.role == Role::kAssistant;
         });
}

}  // namespace

CacheMark read_cache_mark(JsonView holder) {
  const JsonView control = holder["cache_control"];
  if (!control.is_object()) return CacheMark::kNone;
  return string_or(control, "ttl", "5m") == "5m" ? CacheMark::k5m : CacheMark::k1h;
}

CacheMark take_cache_mark(JsonView holder, Request& request) {
  const CacheMark mark = read_cache_mark(holder);
  request.billing.cache_write = std::max(request.billing.cache_write, mark);
  return mark;
}

void take_cache_mark(JsonView holder, Block& block, Request& request) {
  const CacheMark mark = take_cache_mark(holder, request);
  if (mark == CacheMark::kNone) return;
  std::visit(
      [mark](auto& each) {
        if constexpr (requires { each.cache; }) each.cache = mark;
      },
      block);
}

void write_cache_mark(CacheMark mark, Json& object) {
  if (mark == CacheMark::kNone) return;
  Json control = Json::object();
  control["type"] = "ephemeral";
  if (mark == CacheMark::k1h) control["ttl"] = "1h";
  object["cache_control"] = std::move(control);
}

CacheMark mark_of_ends(const Request& request, bool wanted) {
  if (request.cache_ends != CacheMark::kNone) return request.cache_ends;
  const bool ours = wanted && goes_on(request) && prompt_bytes(request) >= kBytesMin;
  return ours ? CacheMark::k5m : CacheMark::kNone;
}

void place_cache_marks(const Request& request, bool wanted, Json& body) {
  const CacheMark mark = mark_of_ends(request, wanted && marked_of(body).empty());
  if (mark != CacheMark::kNone) {
    if (body.contains("system")) mark_system(mark, body["system"]);
    else if (body.contains("tools")) add_mark(mark, body["tools"].back());
    Json& messages = body["messages"];
    mark_end(mark, messages.back());
    for (std::size_t at = messages.size() - 1; at-- > 0;) {
      if (messages[at]["role"] != "user") continue;
      mark_end(mark, messages[at]);
      break;
    }
  }
  settle_marks(body);
}

}  // namespace tophand::chat
