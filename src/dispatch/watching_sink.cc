#include "dispatch/watching_sink.h"

#include <variant>

namespace tophand::dispatch {
namespace {

// Content that comes less than this before the end came with it: a whole answer, not a stream.
constexpr std::int64_t kAtOnceNs = 1'000'000;

}  // namespace

void WatchingSink::observe(const chat::StreamEvent& event) {
  bool content = false;
  if (const auto* text = std::get_if<chat::TextDelta>(&event)) {
    text_ += text->text;
    content = true;
  } else if (const auto* thinking = std::get_if<chat::ThinkingDelta>(&event)) {
    text_ += thinking->text;
    thinking_seen_ = content = true;
  } else if (const auto* start = std::get_if<chat::ToolUseStart>(&event)) {
    text_ += start->name;
    content = true;
  } else if (const auto* tool = std::get_if<chat::ToolUseDelta>(&event)) {
    text_ += tool->json;
    content = true;
  }
  if (content && !first_content_ns_) first_content_ns_ = clock_.mono_ns();
  // An answer without content is whole too.
  if (content || std::holds_alternative<chat::Finished>(event)) holding_ = false;
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
  forwarded_ = true;
  if (held_head_) {
    const Head head = std::move(*held_head_);
    held_head_.reset();
    if (auto put = client_.head(head.status, head.kept, head.content_type); !put) return put;
  }
  if (!held_raw_.empty()) {
    const std::string bytes = std::move(held_raw_);
    held_raw_.clear();
    if (auto put = client_.raw(bytes, held_meaning_); !put) return put;
  }
  std::vector<chat::StreamEvent> events = std::move(held_events_);
  held_events_.clear();
  for (const chat::StreamEvent& event : events)
    if (auto put = client_.event(event); !put) return put;
  return {};
}

Result<> WatchingSink::event(const chat::StreamEvent& event) {
  if (std::holds_alternative<chat::Progress>(event)) return client_.event(event);
  observe(event);
  if (holding_) {
    held_events_.push_back(event);
    return {};
  }
  if (auto put = let_go(); !put) return put;
  return client_.event(timed(event));
}

Result<> WatchingSink::head(int status, const net::Headers& kept, std::string_view content_type) {
  if (holding_) {
    held_head_ = Head{status, kept, std::string(content_type)};
    return {};
  }
  forwarded_ = true;
  return client_.head(status, kept, content_type);
}

Result<> WatchingSink::raw(std::string_view bytes, const std::vector<chat::StreamEvent>& meaning) {
  for (const chat::StreamEvent& event : meaning) observe(event);
  if (holding_) {
    held_raw_ += bytes;
    held_meaning_.insert(held_meaning_.end(), meaning.begin(), meaning.end());
    return {};
  }
  if (auto put = let_go(); !put) return put;
  return client_.raw(bytes, meaning);
}

}  // namespace tophand::dispatch
