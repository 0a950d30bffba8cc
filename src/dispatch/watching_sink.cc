#include "dispatch/watching_sink.h"

#include <algorithm>
#include <utility>
#include <variant>

namespace tophand::dispatch {
namespace {

// Content that comes less than this before the end came with it: a whole answer, not a stream.
constexpr std::int64_t kAtOnceNs = 1'000'000;
// A preamble is a few hundred bytes; what is larger is none.
constexpr std::size_t kHeldBytesMax = 64u << 10;
constexpr std::size_t kHeldEventsMax = 64;
// Of an answer, which is kept for the account: a backend that writes more has lost its end.
constexpr std::size_t kAnswerBytesMax = 64u << 20;

}  // namespace

WatchingSink::WatchingSink(dispatch::Sink& client, const Clock& clock, Stop& stop)
    : client_(client), clock_(clock), stop_(stop), begun_ns_(clock.mono_ns()) {}

WatchingSink::~WatchingSink() {
  client_.held({});
}

void WatchingSink::observe(const chat::StreamEvent& event) {
  bool content = false;  // a block that has only been opened is none
  if (const auto* text = std::get_if<chat::TextDelta>(&event)) {
    text_ += text->text;
    content = !text->text.empty();
  } else if (const auto* thinking = std::get_if<chat::ThinkingDelta>(&event)) {
    thinking_ += thinking->text;
    thinking_seen_ = true;
    content = !thinking->text.empty() || !thinking->signature.empty();
  } else if (const auto* start = std::get_if<chat::ToolUseStart>(&event)) {
    text_ += start->name;
    content = true;
  } else if (const auto* tool = std::get_if<chat::ToolUseDelta>(&event)) {
    text_ += tool->json;
    content = !tool->json.empty();
  } else if (const auto* finished = std::get_if<chat::Finished>(&event)) {
    observe_finish(*finished);
  }
  if (!content) return;
  holding_ = false;
  if (first_content_ns_) return;
  first_content_ns_ = clock_.mono_ns();
  stop_.lift_deadline();
}

Result<> WatchingSink::check_size() const {
  if (text_.size() + thinking_.size() <= kAnswerBytesMax) return {};
  return fail(Code::kUpstream, "the answer is over " + std::to_string(kAnswerBytesMax) + " bytes");
}

// An answer without content may be whole: a refusal, a stop sequence, a limit, or a Claude that has
// nothing to add after a tool's result (it counts a few tokens then). One that ends by itself
// without having said anything is empty; it is held, for another backend may do better.
void WatchingSink::observe_finish(const chat::Finished& finished) {
  empty_ = !first_content_ns_ && !touched_ && finished.reason == chat::StopReason::kEndTurn &&
           finished.usage.output_tokens <= 1;
  holding_ = empty_;
}

// Finished with the times filled in when its backend knows none. How long a provider read the
// prompt shows only in a stream; the time of a whole answer counts as writing.
chat::StreamEvent WatchingSink::timed(chat::StreamEvent event) const {
  auto* finished = std::get_if<chat::Finished>(&event);
  if (finished == nullptr || finished->timing.total_ns != 0) return event;
  const std::int64_t end_ns = clock_.mono_ns();
  const std::int64_t first_ns = first_content_ns_.value_or(end_ns);
  chat::Timing& timing = finished->timing;
  timing.total_ns = end_ns - begun_ns_;
  timing.prefill_ns = end_ns - first_ns < kAtOnceNs ? 0 : first_ns - begun_ns_;
  timing.decode_ns = timing.total_ns - timing.prefill_ns;
  return event;
}

Result<> WatchingSink::let_go() {
  const std::lock_guard lock(mutex_);
  holding_ = false;
  return let_go_locked();
}

Result<> WatchingSink::let_go_locked() {
  if (held_head_) {
    touched_ = true;
    const Head head = std::move(*held_head_);
    held_head_.reset();
    if (auto put = client_.head(head.status, head.kept, head.content_type); !put) return put;
  }
  if (!held_raw_.empty()) {
    const std::string bytes = std::exchange(held_raw_, {});
    if (auto put = client_.raw(bytes, std::exchange(held_meaning_, {})); !put) return put;
  }
  for (const chat::StreamEvent& event : std::exchange(held_events_, {}))
    if (auto put = client_.event(event); !put) return put;
  return {};
}

Result<> WatchingSink::event(const chat::StreamEvent& event) {
  if (std::holds_alternative<chat::Progress>(event)) return client_.event(event);
  {
    const std::lock_guard lock(mutex_);
    observe(event);
    if (auto fits = check_size(); !fits) return fits;
    if (held_events_.size() >= kHeldEventsMax) holding_ = false;
    if (!holding_) {
      touched_ = touched_ || first_content_ns_ || std::holds_alternative<chat::Finished>(event);
      if (auto put = let_go_locked(); !put) return put;
      return std::holds_alternative<chat::Finished>(event) ? client_.event(timed(event))
                                                           : client_.event(event);
    }
    held_events_.push_back(timed(event));
  }
  ask_for_release();
  return {};
}

Result<> WatchingSink::head(int status, const net::Headers& kept, std::string_view content_type) {
  const std::lock_guard lock(mutex_);
  held_head_ = Head{status, kept, std::string(content_type)};
  return {};
}

Result<> WatchingSink::raw(std::string_view bytes, const std::vector<chat::StreamEvent>& meaning) {
  {
    const std::lock_guard lock(mutex_);
    for (const chat::StreamEvent& event : meaning) observe(event);
    if (auto fits = check_size(); !fits) return fits;
    if (held_raw_.size() + bytes.size() > kHeldBytesMax) holding_ = false;
    if (!holding_) {
      if (auto put = let_go_locked(); !put) return put;
      touched_ = true;
      return client_.raw(bytes, meaning);
    }
    held_raw_ += bytes;
    held_meaning_.insert(held_meaning_.end(), meaning.begin(), meaning.end());
  }
  ask_for_release();
  return {};
}

// Not under the mutex: the sink may be calling let_go() at this moment.
void WatchingSink::ask_for_release() {
  client_.held([this] { static_cast<void>(let_go()); });
}

}  // namespace tophand::dispatch
