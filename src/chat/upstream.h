// The backend-side half: requests for upstreams, and their streams turned into events. Pure.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "chat/conversation.h"
#include "chat/events.h"

namespace tophand::chat {

// --- Anthropic Messages (the Claude API) ---------------------------------------------------------

// A Messages body for a request that came in another dialect. `max_tokens` is always set.
std::string write_anthropic_request(const Request& request, std::string_view model,
                                    std::int64_t max_tokens_default);

// Where a top-level key's value lies in a JSON object, without re-serialising anything: used to
// splice "model" into a body that is otherwise forwarded byte for byte.
struct Span {
  std::size_t begin = 0, end = 0;
};
std::optional<Span> find_top_level_value(std::string_view json, std::string_view key);

// One SSE event of a Messages stream (event name and data) to our events.
class AnthropicStreamReader {
 public:
  void on_event(std::string_view event, std::string_view data, std::vector<StreamEvent>& out);
  bool finished() const { return finished_; }
  const Usage& usage() const { return usage_; }  // latest seen, cumulative

 private:
  Usage usage_;
  StopReason reason_ = StopReason::kEndTurn;
  std::string stop_sequence_;
  bool finished_ = false;
};

Result<Answer> read_anthropic_answer(std::string_view body);
// An error body and status to Failed; `upstream_type` is Anthropic's own error type.
Failed read_anthropic_error(int status, std::string_view body);

// --- our engine worker (docs/protocols/engine-worker.md) ------------------------------------------

std::string write_engine_request(const Request& request);
Result<Request> read_engine_request(std::string_view body);
std::string write_engine_event(const StreamEvent& event);  // one NDJSON line with '\n'
Result<StreamEvent> read_engine_event(std::string_view line);

}  // namespace tophand::chat
