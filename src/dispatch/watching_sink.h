// Stands between a backend and the client's sink for one attempt: notes when the first content came
// and gathers the answer's text for the account, and holds everything back until then when the
// attempt may still be replaced by another one. It times a backend that does not time itself.
// Private to dispatch/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/clock.h"

namespace tophand::dispatch {

class WatchingSink final : public backend::Sink {
 public:
  enum class Hold : std::uint8_t { kNothing, kUntilContent };
  WatchingSink(backend::Sink& client, const Clock& clock, Hold hold)
      : client_(client),
        clock_(clock),
        begun_ns_(clock.mono_ns()),
        holding_(hold == Hold::kUntilContent) {}

  Result<> event(const chat::StreamEvent& event) override;
  Result<> head(int status, const net::Headers& kept, std::string_view content_type) override;
  Result<> raw(std::string_view bytes, const std::vector<chat::StreamEvent>& meaning) override;

  // Nothing but signs of life has reached the client.
  bool untouched() const { return !forwarded_; }
  std::optional<std::int64_t> first_content_ns() const { return first_content_ns_; }
  const std::string& text() const { return text_; }
  bool thinking_seen() const { return thinking_seen_; }

 private:
  struct Head {
    int status;
    net::Headers kept;
    std::string content_type;
  };
  void observe(const chat::StreamEvent& event);
  chat::StreamEvent timed(chat::StreamEvent event) const;
  Result<> let_go();

  backend::Sink& client_;
  const Clock& clock_;
  const std::int64_t begun_ns_;
  bool holding_;
  bool forwarded_ = false;
  bool thinking_seen_ = false;
  std::optional<std::int64_t> first_content_ns_;
  std::string text_;
  std::optional<Head> held_head_;
  std::string held_raw_;
  std::vector<chat::StreamEvent> held_meaning_, held_events_;
};

}  // namespace tophand::dispatch
