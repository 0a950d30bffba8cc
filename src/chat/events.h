// What every backend produces while it answers, local or remote. Text deltas are whole UTF-8 code
// points. Order: Started, then blocks one after another, then Finished or Failed, once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
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
  bool refuses = false;  // said where the provider says that it will not answer (TextBlock)
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
struct BlockEnd {};  // closes the open block; writers also close on a change of kind
struct Progress {    // prefill under way: becomes a ping
  std::int64_t done = 0, total = 0;
};
struct Finished {
  StopReason reason = StopReason::kEndTurn;
  std::string stop_sequence = {};
  Usage usage = {};  // final truth
  Timing timing = {};
  bool usage_said = true;  // false: the provider left out what it has to be paid for
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
  bool usage_said = true;  // as Finished's
};

// Folds events into an Answer, by the same rules as the stream writers (dialect.h): blocks close on
// a change of kind, empty text makes no block, thinking inside an open tool call is dropped, the
// stop reason is tool_use whenever a whole tool call was made, and a tool call whose arguments are
// not a JSON object fails the answer unless the answer was cut off at its limit.
class Collector {
 public:
  void on(const StreamEvent& event);
  bool finished() const { return finished_; }  // Finished was seen and the answer is good
  const std::optional<Failed>& failed() const { return failed_; }
  // The answer; meaningful once finished(). Leaves the collector empty.
  Answer take();

 private:
  void close_block();
  void finish(const Finished& finished);

  Answer answer_;
  Usage started_usage_;
  bool finished_ = false;
  bool block_open_ = false;
  bool call_over_ = false;  // the open block is a call that has ended, without arguments so far
  std::optional<Failed> failed_;
};

// What an answer's stop reason comes to, given its tool calls: kToolUse when there is one, whatever
// the model reported, except after a refusal or when the limit cut the last call short; never
// kToolUse without a call.
struct ToolCallsSeen {
  bool any = false;
  bool last_is_whole = true;  // its arguments are a JSON object
};
bool is_cut_off(StopReason reason);  // by a limit
StopReason settle_stop_reason(StopReason reported, ToolCallsSeen calls);

// The failure both Collector and the writers report for such a call.
Failed broken_tool_call(std::string_view tool_name);

// Finished's usage, with Started's input side where Finished has none.
Usage final_usage(const Usage& started, const Usage& finished);

// True when `text` is one JSON object.
bool is_json_object(std::string_view text);

}  // namespace tophand::chat
