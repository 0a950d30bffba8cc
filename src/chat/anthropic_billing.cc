#include <algorithm>
#include <array>

#include "base/json_view.h"
#include "chat/billing.h"
#include "chat/prompt_cache.h"
#include "chat/request_parsers.h"

namespace tophand::chat {
namespace {

// The API ends a turn of server tools after ten rounds with "pause_turn".
constexpr std::int64_t kRoundsMax = 10;
// What one search brings into the prompt. The API states no limit; results of some ten pages have
// been seen to be 5,000 to 20,000 tokens.
constexpr std::int64_t kSearchTokens = 30'000;
constexpr std::int64_t kUsesMax = 1000;

// Run by the client: they cost nothing but their tokens.
constexpr std::array<std::string_view, 4> kClientTools{"bash_", "text_editor_", "computer_",
                                                       "memory_"};

void note_cache(JsonView object, Billing& billing) {
  billing.cache_write = std::max(billing.cache_write, read_cache_mark(object));
}

void note_image(JsonView block, Billing& billing) {
  ++billing.images;
  billing.image_bytes += static_cast<std::int64_t>(string_or(block["source"], "data", "").size());
}

// Text is in the body; everything else may have any number of pages.
void note_document(JsonView block, Billing& billing) {
  const std::string_view type = string_or(block["source"], "type", "");
  if (type != "text" && type != "content") billing.documents = true;
}

void note_blocks(JsonView content, Billing& billing, int depth) {
  constexpr int kDepthMax = 8;  // of content in content; a deeper one is no request of the API
  if (depth > kDepthMax) return;
  for (const JsonView block : content) {
    if (!block.is_object()) continue;
    note_cache(block, billing);
    const std::string_view type = string_or(block, "type", "");
    if (type == "image") note_image(block, billing);
    if (type == "container_upload") billing.documents = true;
    if (type == "document") {
      note_document(block, billing);
      note_blocks(block["source"]["content"], billing, depth + 1);
    }
    note_blocks(block["content"], billing, depth + 1);
  }
}

void refuse(Billing& billing, std::string why) {
  if (billing.unbounded.empty()) billing.unbounded = std::move(why);
}

// A tool whose uses are bounded by "max_uses", each of which brings up to `tokens`.
void note_uses(JsonView tool, std::string_view type, std::int64_t tokens, bool is_search,
               Billing& billing) {
  const std::int64_t uses = int_or(tool, "max_uses", 0);
  if (uses < 1 || uses > kUsesMax)
    return refuse(billing, "tools: " + std::string(type) +
                               " needs \"max_uses\" (1 to 1000), which bounds what it may cost");
  billing.rounds = std::min(billing.rounds + uses, kRoundsMax);
  billing.tool_tokens += tokens;
  if (is_search) billing.web_searches += uses;
}

void note_tool(JsonView tool, Billing& billing) {
  if (!tool.is_object()) return;
  note_cache(tool, billing);
  const std::string_view type = string_or(tool, "type", "custom");
  if (type == "custom") return;
  ++billing.provider_tools;
  if (std::ranges::any_of(kClientTools, [&](auto name) { return type.starts_with(name); })) return;
  if (type.starts_with("web_search_")) return note_uses(tool, type, kSearchTokens, true, billing);
  if (type.starts_with("tool_search_tool_")) {
    billing.rounds = kRoundsMax;  // what it finds is in the body
    return;
  }
  if (type.starts_with("web_fetch_")) {
    const std::int64_t tokens = int_or(tool, "max_content_tokens", 0);
    if (tokens >= 1) return note_uses(tool, type, tokens, false, billing);
    return refuse(billing, "tools: " + std::string(type) +
                               " needs \"max_content_tokens\", which bounds what it may cost");
  }
  refuse(billing, "tools: nobody can tell what " + std::string(type.substr(0, 80)) +
                      " may cost, so it is not sent to Claude; leave it out");
}

// {"edits":[{"type":"compact_20260112",...}]}: before any round the API may sum the conversation
// up. That reads the prompt once more, and writes a text which costs less than yet another reading:
// of 50,000 tokens at least, as less is not summed up.
void note_compaction(JsonView root, Billing& billing) {
  bool compacts = false;
  for (const JsonView edit : root["context_management"]["edits"])
    compacts = compacts || string_or(edit, "type", "").starts_with("compact_");
  if (!compacts) return;
  billing.rounds *= 3;
}

// Other models that Claude's servers may ask when this one declines.
void note_fallbacks(JsonView root, Billing& billing) {
  const JsonView fallbacks = root["fallbacks"];
  const bool is_empty = (fallbacks.is_object() || fallbacks.is_array()) && fallbacks.size() == 0;
  if (fallbacks.is_null() || is_empty) return;
  refuse(billing,
         "fallbacks: nobody can tell which model answers, and at what price, so they are not sent "
         "to Claude; leave them out");
}

}  // namespace

Billing read_anthropic_billing(JsonView root) {
  Billing billing;
  note_cache(root, billing);
  note_blocks(root["system"], billing, 0);
  for (const JsonView message : root["messages"]) note_blocks(message["content"], billing, 0);
  for (const JsonView tool : root["tools"]) note_tool(tool, billing);
  note_compaction(root, billing);
  note_fallbacks(root, billing);
  if (const JsonView servers = root["mcp_servers"]; servers.is_array() && servers.size() > 0)
    refuse(billing,
           "mcp_servers: nobody can tell what they bring into the prompt, so they are not "
           "sent to Claude; use them from the client");
  billing.geo_named = root["inference_geo"].is_string();
  const std::string_view geo = string_or(root, "inference_geo", "global");
  billing.us_only = geo != "global";
  if (geo != "global" && geo != "us")
    refuse(billing,
           "inference_geo: no price is known for \"" + std::string(geo.substr(0, 40)) + "\"");
  const std::string_view speed = string_or(root, "speed", "standard");
  if (speed != "standard")
    refuse(billing, "speed: no price is known for \"" + std::string(speed.substr(0, 40)) + "\"");
  return billing;
}

}  // namespace tophand::chat
