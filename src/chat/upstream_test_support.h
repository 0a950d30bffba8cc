// For this room's tests: events as one line of words. Included by tests only.
#pragma once

#include <string>
#include <vector>

#include "chat/answer_json.h"
#include "chat/events.h"

namespace tophand::chat {

// "started MODEL; text T; thinking T; tool ID NAME; json J; end; finished REASON IN+CACHED/OUT".
inline std::string in_words(const std::vector<StreamEvent>& events) {
  struct Word {
    std::string operator()(const Started& event) const { return "started " + event.model; }
    std::string operator()(const TextDelta& event) const { return "text " + event.text; }
    std::string operator()(const ThinkingDelta& event) const { return "thinking " + event.text; }
    std::string operator()(const ToolUseStart& event) const {
      return "tool " + event.id + " " + event.name;
    }
    std::string operator()(const ToolUseDelta& event) const { return "json " + event.json; }
    std::string operator()(const BlockEnd&) const { return "end"; }
    std::string operator()(const Progress&) const { return "progress"; }
    std::string operator()(const Finished& event) const {
      return "finished " + std::string(anthropic_stop_reason(event.reason)) +
             (event.stop_sequence.empty() ? "" : " " + event.stop_sequence) + " " +
             std::to_string(event.usage.input_tokens) + "+" +
             std::to_string(event.usage.cache_read_tokens) + "/" +
             std::to_string(event.usage.output_tokens);
    }
    std::string operator()(const Failed& event) const {
      return "failed " + std::string(info(event.error.code).name);
    }
  };
  std::string out;
  for (const StreamEvent& event : events)
    (out += out.empty() ? "" : "; ") += std::visit(Word{}, event);
  return out;
}

}  // namespace tophand::chat
