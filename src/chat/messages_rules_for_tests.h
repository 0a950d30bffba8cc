// What requests of other dialects become, for tests and fuzz targets: a body that the Messages API
// takes (docs/protocols/anthropic-messages.md), and a line that the engine reads back as it was.
#pragma once

#include <cstdio>
#include <set>
#include <string>
#include <string_view>

#include "base/ascii.h"
#include "base/assert.h"
#include "base/json.h"
#include "chat/dialect.h"
#include "chat/upstream.h"

namespace tophand::chat {

// One message after the other, each with what the one before left open.
class MessagesRules {
 public:
  // The rule that the body breaks; "" when it breaks none.
  static std::string broken_by(std::string_view body) {
    // Nested a little deeper than what was parsed.
    const auto json = parse_json(body, {.bytes_max = 64U << 20, .depth_max = 80});
    if (!json) return "not JSON";
    const Json* messages = find_key(*json, "messages");
    if (int_or(*json, "max_tokens", 0) < 1) return "max_tokens below 1";
    if (messages == nullptr || !messages->is_array() || messages->empty()) return "no messages";
    if (string_or(messages->front(), "role", "") != "user") return "the user is not first";
    MessagesRules rules;
    for (const Json& message : *messages)
      if (std::string broken = rules.message(message); !broken.empty()) return broken;
    if (!rules.open_.empty()) return "a call without a result";
    const bool prefill = rules.role_ == "assistant";
    return prefill && is_blank_at_end(messages->back()) ? "white space at the end" : "";
  }

 private:
  std::string message(const Json& message) {
    const std::string role(string_or(message, "role", ""));
    if (role != "user" && role != "assistant") return "role " + role;
    if (role == role_) return "two messages of " + role;
    role_ = role;
    const Json* content = find_key(message, "content");
    if (content == nullptr || !content->is_array() || content->empty()) return "no content";
    std::set<std::string> calls;
    bool others = false;
    for (const Json& block : *content) {
      const std::string_view type = string_or(block, "type", "");
      if (type == "text" && is_blank(string_or(block, "text", ""))) return "blank text";
      if (type.empty()) return "a block without a type";
      if (type == "tool_result") {
        if (others) return "a result behind other content";
        if (open_.erase(std::string(string_or(block, "tool_use_id", ""))) == 0)
          return "a result without a call";
        continue;
      }
      others = true;
      if (type != "tool_use") continue;
      const std::string id(string_or(block, "id", ""));
      if (role != "assistant") return "a call of the user";
      if (!is_tool_id(id)) return "the id " + id;
      if (!ids_.insert(id).second) return "the id " + id + " twice";
      calls.insert(id);
    }
    if (!open_.empty()) return "a call without a result";
    open_ = std::move(calls);
    return "";
  }

  static bool is_tool_id(std::string_view id) {
    constexpr std::string_view kLetters =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    return !id.empty() && id.find_first_not_of(kLetters) == std::string_view::npos;
  }
  static bool is_blank_at_end(const Json& message) {
    const Json& last = message["content"].back();
    const std::string_view text = string_or(last, "text", "x");
    return string_or(last, "type", "") == "text" &&
           (text.empty() || is_blank(text.substr(text.size() - 1)));
  }

  std::string role_;
  std::set<std::string> ids_, open_;  // of calls; of those of the message before
};

// Ends the program, with the rule that is broken.
inline void check_messages_body(const Request& request) {
  const std::string broken = MessagesRules::broken_by(
      write_anthropic_request(request, "claude-x", {.cache_prompt = true}));
  if (!broken.empty()) std::fprintf(stderr, "%s\n", broken.c_str());
  TOPHAND_ASSERT(broken.empty());
}

// Of a request that is ready for a local model.
inline void check_engine_line(const Request& request) {
  const std::string line = write_engine_request(request);
  const auto read = read_engine_request(line);
  TOPHAND_ASSERT(read.has_value() && write_engine_request(*read) == line);
}

}  // namespace tophand::chat
