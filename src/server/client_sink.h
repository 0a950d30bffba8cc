// The client's end of one answer: events become the dialect's bytes, whole or streamed; a
// provider's own bytes are passed on. A stream's head is sent with the first event, or after a
// second of waiting, so that until then a failure is still a proper HTTP status; from then on the
// client hears something at least every five seconds. (From a provider whose bytes are passed on it
// hears what that provider sends, and pings while it stands in line for it.)
//
// Two threads call it: the request's own, and the pulse that fills silences. One mutex guards all.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "chat/dialect.h"
#include "chat/events.h"
#include "dispatch/dispatch.h"
#include "server/pulse.h"
#include "server/routes.h"

namespace tophand::server {

struct AnswerShape {
  chat::AnswerContext context;
  bool stream = false;
  std::string priority;         // for x-tophand-priority
  std::string task_class = {};  // for x-tophand-class, "" where it was not needed to decide
  // The head waits for content, because it may have to say what was left out.
  bool may_be_shortened = false;
  std::string left_out = {};  // for x-tophand-left-out, unless the bytes are passed on as they came
  std::string_view left_out_for_claude = {};  // what only Claude is not told, "" mostly
  // Called at most once, when a stream has to begin before its backend knows the number.
  std::function<std::int64_t()> estimate_input_tokens = {};
  // Work that the answer need not wait for; called once, when a backend has the request or later.
  std::function<void()> meanwhile = {};
};

class ClientSink final : public dispatch::Sink, private Beating {
 public:
  // `pulse` outlives this; nullptr: breathe() is called by the owner, a test.
  ClientSink(Exchange& exchange, AnswerShape shape, const Clock& clock, Pulse* pulse = nullptr);
  ~ClientSink() override;

  Takes trying(const Trying& attempt) override;
  void standing_in_line() override;
  void held(std::function<void()> release) override;
  bool shortened(const dispatch::Shortened& by) override;
  Result<> event(const chat::StreamEvent& event) override;
  void together(bool on) override;
  Result<> head(int status, const net::Headers& kept, std::string_view content_type) override;
  Result<> raw(std::string_view bytes, const std::vector<chat::StreamEvent>& meaning) override;
  void asked() override;
  bool gathers() const override { return !shape_.stream; }

  // Nobody is asked yet: it waits for a better time, and a stream hears that it does.
  void waiting(const std::vector<std::string>& reasons);
  // Ends the answer by what came of it: the last bytes, or the error.
  void finish(const dispatch::Outcome& outcome);
  // Gives the answer to another exchange (a retry of the first) while the first has had nothing of
  // it; false when it is too late. This does not write to the first any more, and the other goes by
  // its request id from then on.
  bool move_to(Exchange& other);
  // Ends the answer where it is, for a client that is still there, by an error of the gateway's
  // own.
  void break_off(const Error& error);
  // Writes a sign of life, and lets go of what is held, when it is due.
  Result<> breathe();

 private:
  Result<> breathe_locked();
  Result<> ping_before_raw();
  Result<> look_for_client();
  chat::StreamWriter& stream_writer();
  void release_held();
  void beat() override;
  void start_beating();  // with mutex_ held
  Result<> put(std::string_view bytes, std::string_view content_type);
  Result<> write_event(const chat::StreamEvent& event);
  void finish_whole(const dispatch::Outcome& outcome);
  void finish_raw(const dispatch::Outcome& outcome);
  void fail_before_start(const dispatch::Outcome& outcome);
  void fail_in_stream(const dispatch::Outcome& outcome);

  std::once_flag asked_;
  Exchange* exchange_;  // who gets the answer
  AnswerShape shape_;
  const Clock& clock_;
  std::mutex mutex_;
  std::unique_ptr<chat::StreamWriter> writer_;  // made when it is needed
  chat::Collector collector_;                   // of answers that are not streamed
  bool gathering_ = false;                      // between together(true) and together(false)
  std::string gathered_;                        // what events since then are written as
  bool delivered_ = false;                      // some of the answer has been written
  bool raw_ = false;                            // a provider's own bytes are passed on
  bool raw_expected_ = false;  // or may come: until then nothing of ours may be written but pings
  bool in_line_ = false;       // nobody is asked yet
  bool only_pings_ = false;    // the stream has begun, but no answer in it
  int raw_status_ = 200;
  std::string raw_type_, raw_body_;  // the body of an answer that is not streamed
  std::int64_t begun_ns_, looked_ns_, last_write_ns_;
  bool is_over_ = false;
  Pulse* pulse_;
  bool beating_ = false;   // from when a backend may be silent
  std::mutex held_mutex_;  // guards the two below; taken before mutex_
  std::function<void()> release_;
  std::int64_t held_ns_ = 0;  // since when
};

}  // namespace tophand::server
