// What every backend produces while it answers, local or remote. Text deltas are whole UTF-8 code
// points. Order: Started, then blocks one after another, then Finished or Failed, once.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "chat/conversation.h"

namespace tophand::chat {

struct Started {
  Usage usage;        // input side as far as known; an estimate is better than 0
  std::string model;  // that answers
};
struct TextDelta {
  std::string text;
};
struct ThinkingDelta {
  std::string text, signature;
};
struct ToolUseStart {
  std::string id, name;
};
struct ToolUseDelta {
  std::string json;  // a fragment of the arguments
};
struct BlockEnd {};   // closes the open block; writers also close on a change of kind
struct Progress {     // prefill under way: becomes a ping
  std::int64_t done = 0, total = 0;
};
struct Finished {
  StopReason reason = StopReason::kEndTurn;
  std::string stop_sequence;
  Usage usage;  // final truth
  Timing timing;
};
struct Failed {
  Error error;
  std::string upstream_type;  // "overloaded_error" and the like, "" when ours
};
using StreamEvent = std::variant<Started, TextDelta, ThinkingDelta, ToolUseStart, ToolUseDelta,
                                 BlockEnd, Progress, Finished, Failed>;

// A whole answer, gathered from events.
struct Answer {
  std::string model;
  std::vector<Block> blocks;
  StopReason reason = StopReason::kEndTurn;
  std::string stop_sequence;
  Usage usage;
  Timing timing;
};

// Folds events into an Answer.
class Collector {
 public:
  void on(const StreamEvent& event);
  bool finished() const { return finished_; }
  const std::optional<Failed>& failed() const { return failed_; }
  Answer take();

 private:
  Answer answer_;
  bool finished_ = false;
  bool block_open_ = false;
  std::optional<Failed> failed_;
};

}  // namespace tophand::chat
