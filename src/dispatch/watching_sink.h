// Stands between a backend and the client's sink for one attempt. It holds the preamble back (what
// comes before the first content: message_start and the like) until there is content or a second
// has passed, so that an attempt that fails early can be replaced unseen; it notes when the first
// content came and gathers the answer's text for the account; it times a backend that does not time
// itself. The backend's thread calls it, and the client's sink when the second is over.
// Private to dispatch/.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/clock.h"
#include "dispatch/dispatch.h"
#include "dispatch/stop.h"

namespace tophand::dispatch {

class WatchingSink final : public backend::Sink {
 public:
  // The first content lifts the deadline of `stop`.
  WatchingSink(dispatch::Sink& client, const Clock& clock, Stop& stop);
  ~WatchingSink() override;

  Result<> event(const chat::StreamEvent& event) override;
  void together(bool on) override { client_.together(on); }
  Result<> head(int status, const net::Headers& kept, std::string_view content_type) override;
  Result<> raw(std::string_view bytes, const std::vector<chat::StreamEvent>& meaning) override;

  // Gives out what is held. A provider's own bytes bind the answer to this attempt; a translated
  // preamble does not: whoever writes it writes one, whatever comes after.
  Result<> let_go();

  // For after the backend has returned.
  bool untouched() const { return !touched_; }  // the client may still get another attempt's answer
  bool empty() const { return empty_; }         // it finished without content, which is held
  std::optional<std::int64_t> first_content_ns() const { return first_content_ns_; }
  const std::string& text() const { return text_; }          // of the answer
  const std::string& thinking() const { return thinking_; }  // before it, as far as it is shown
  bool thinking_seen() const { return thinking_seen_; }

 private:
  struct Head {
    int status;
    net::Headers kept;
    std::string content_type;
  };
  void observe(const chat::StreamEvent& event);
  void observe_finish(const chat::Finished& finished);
  Result<> check_size() const;
  chat::StreamEvent timed(chat::StreamEvent event) const;
  Result<> let_go_locked();
  void ask_for_release();

  dispatch::Sink& client_;
  const Clock& clock_;
  Stop& stop_;
  const std::int64_t begun_ns_;
  std::mutex mutex_;  // guards the rest while the backend runs
  bool holding_ = true;
  bool touched_ = false;
  bool empty_ = false;
  bool thinking_seen_ = false;
  std::optional<std::int64_t> first_content_ns_;
  std::string text_, thinking_;
  std::optional<Head> held_head_;
  std::string held_raw_;
  std::vector<chat::StreamEvent> held_meaning_, held_events_;
};

}  // namespace tophand::dispatch
