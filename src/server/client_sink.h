// The client's end of one answer: events become the dialect's bytes, whole or streamed; a
// provider's own bytes are passed on. A stream's head is sent with the first event, or after a
// second of waiting, so that until then a failure is still a proper HTTP status; from then on the
// client hears something at least every five seconds.
//
// Two threads call it: the request's own, and the ticker that fills silences. One mutex guards all.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "chat/dialect.h"
#include "chat/events.h"
#include "dispatch/dispatch.h"
#include "server/routes.h"

namespace tophand::server {

struct AnswerShape {
  chat::AnswerContext context;
  bool stream = false;
  std::string priority;       // for x-tophand-priority
  std::string left_out = {};  // for x-tophand-left-out, unless the bytes are passed on as they came
  // Called at most once, when a stream has to begin before its backend knows the number.
  std::function<std::int64_t()> estimate_input_tokens = {};
};

class ClientSink final : public dispatch::Sink {
 public:
  ClientSink(Exchange& exchange, AnswerShape shape, const Clock& clock);
  ~ClientSink() override;  // ends the ticker

  void trying(const policy::Target& target, const std::vector<std::string>& reasons) override;
  Result<> event(const chat::StreamEvent& event) override;
  Result<> head(int status, const net::Headers& kept, std::string_view content_type) override;
  Result<> raw(std::string_view bytes, const std::vector<chat::StreamEvent>& meaning) override;

  // Ends the answer by what came of it: the last bytes, or the error.
  void finish(const dispatch::Outcome& outcome);
  // Writes a sign of life when it is due. For the ticker, and for tests.
  Result<> breathe();

 private:
  Result<> breathe_locked();
  Result<> put(std::string_view bytes, std::string_view content_type);
  Result<> write_event(const chat::StreamEvent& event);
  void finish_whole(const dispatch::Outcome& outcome);
  void fail_before_start(const dispatch::Outcome& outcome);
  void fail_in_stream(const dispatch::Outcome& outcome);
  void tick();

  Exchange& exchange_;
  AnswerShape shape_;
  const Clock& clock_;
  std::mutex mutex_;
  std::unique_ptr<chat::StreamWriter> writer_;
  chat::Collector collector_;  // of answers that are not streamed
  bool raw_ = false;
  int raw_status_ = 200;
  std::string raw_type_;
  std::int64_t begun_ns_, last_write_ns_;
  std::condition_variable over_;
  bool is_over_ = false;
  std::thread ticker_;  // runs while a local model may be silent
};

}  // namespace tophand::server
