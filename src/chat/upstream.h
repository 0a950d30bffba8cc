// The backend-side half: requests for upstreams, and their streams turned into events. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json_view.h"
#include "base/result.h"
#include "chat/conversation.h"
#include "chat/events.h"
#include "chat/json_span.h"  // find_top_level_value

namespace tophand::chat {

// --- Anthropic Messages (the Claude API) ---------------------------------------------------------

// What a request of another dialect does not say, and the Messages API wants to know.
struct ClaudeWording {
  std::int64_t max_tokens = 16'384;  // where the request names no limit
  bool cache_prompt = false;         // marks for Claude's prompt cache where the client set none
};

// A Messages body for a request that came in another dialect. `max_tokens` is always set.
// docs/protocols/anthropic-messages.md, "What other dialects become", lists every choice; in short:
// leading system messages become `system`, later ones marked user text (position matters); messages
// of one role are merged and tool results put first, as the API wants; thinking is never forwarded
// (a signature holds for the model that made it only), nor are sampling parameters (current Claude
// models refuse them).
std::string write_anthropic_request(const Request& request, std::string_view model,
                                    const ClaudeWording& wording);

// The field that write_anthropic_request() cannot tell all of, "" mostly: stop sequences of white
// space, which the API refuses.
std::string_view left_out_for_claude(const Request& request);

// The body for count_tokens, which takes only what is counted.
std::string write_anthropic_count(const Request& request, std::string_view model);

// A Messages body on its way to Claude, byte for byte as the client sent it except for the value of
// "model", where it is another one; our own metadata.priority and metadata.task_class, which the
// API would refuse; and thinking blocks without a signature, which a local model made. kInvalid
// when `body` is not an object with exactly one "model".
Result<std::string> pass_through_anthropic_request(std::string_view body, std::string_view model);

struct AnthropicUsage {
  Usage own;
  bool output_said = false;  // for the whole answer
  Usage compactions;  // summing the conversation up: billed, and in none of the counts beside it
  Usage total() const;
  // Whether it is enough to reckon by. No request has an input of 0 tokens: who says so says
  // nothing.
  bool is_said() const { return output_said && own.total_input() > 0; }
};

// One SSE event of a Messages stream (event name and data) to our events. Unknown events, blocks
// and deltas are skipped; a ping becomes Progress. Usage numbers are running totals: the latest
// counts, none is added up.
class AnthropicStreamReader {
 public:
  void on_event(std::string_view event, std::string_view data, std::vector<StreamEvent>& out);
  // The stream ended: without message_stop or an error event that is a failure.
  void on_end(std::vector<StreamEvent>& out);
  bool finished() const { return finished_; }     // Finished or Failed was given out
  Usage usage() const { return usage_.total(); }  // latest seen, cumulative

 private:
  void start_block(JsonView block, std::vector<StreamEvent>& out);
  void continue_block(JsonView delta, std::vector<StreamEvent>& out);
  void end_block(std::vector<StreamEvent>& out);

  AnthropicUsage usage_;
  StopReason reason_ = StopReason::kEndTurn;
  std::string stop_sequence_;
  std::string tool_input_;  // given whole with the block's start; used when no delta follows
  bool finished_ = false;
  bool block_open_ = false;  // one of a kind we know
  std::int64_t block_ = 0;   // the index of the one that began last
};

// A whole Messages answer. kUpstream when it is none.
Result<Answer> read_anthropic_answer(std::string_view body);
// An error body and status to Failed; `upstream_type` is Anthropic's own error type, or "" when the
// body is not Anthropic's (a proxy's page). Refusals of our own key or account are kConfig: nothing
// the client sends will help.
Failed read_anthropic_error(int status, std::string_view body);

// --- our engine worker (docs/protocols/engine-worker.md)
// ------------------------------------------

// Both ways of the conversation and of the events. What a local model cannot take (images,
// thinking, opaque blocks) is not written. read_*: kInvalid, with the field's name.
std::string write_engine_request(const Request& request);
Result<Request> read_engine_request(std::string_view body);
std::string write_engine_event(const StreamEvent& event);  // one NDJSON line with '\n'
Result<StreamEvent> read_engine_event(std::string_view line);

}  // namespace tophand::chat
