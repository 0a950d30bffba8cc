// Recognises a request that is still being answered and comes again, because its client has given
// up on the first: the retry then gets the answer that is under way instead of a second one, so
// that a client that times out never doubles the work.
//
// A retry is a byte-identical body to the same path with the same key, while the first is in
// flight, that says so (Idempotency-Key of the first, or x-stainless-retry-count above 0, which the
// vendors' SDKs send), or that comes when the first has waited for half a minute without a word:
// two equal requests in a burst may well be two (best of n) and are left alone.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "base/clock.h"
#include "net/http.h"
#include "server/client_sink.h"
#include "server/routes.h"

namespace tophand::server {

// The client of an answer, which a retry may replace. Thread-safe.
class CurrentClient final : public net::Cancellation {
 public:
  explicit CurrentClient(const net::Cancellation& first);
  ~CurrentClient() override;
  CurrentClient(const CurrentClient&) = delete;
  CurrentClient& operator=(const CurrentClient&) = delete;

  // `other` is the client from now on, if `move`, called meanwhile, can give it the answer. False,
  // and without a call, where the client has gone: the answer's thread may be ending it already.
  bool become(const net::Cancellation& other, const std::function<bool()>& move);
  void give_up();  // cancelled from now on
  bool cancelled() const override;
  Signs signs() const override;
  bool stopping() const override;

 private:
  void tell();           // under mutex_
  bool is_gone() const;  // under mutex_

  mutable std::mutex mutex_;
  const net::Cancellation* client_;
  bool given_up_ = false, told_ = false;
  mutable bool gone_ = false;  // was seen to be
  const int changed_;          // an eventfd: readable once the answer's thread has to look again
};

class Retries {
 public:
  explicit Retries(const Clock& clock) : clock_(clock) {}

  // One answer in flight, from its first client's thread. While it lives, retries may join it.
  class Running;

  // When the request is a retry of one in flight: waits until that one's answer has been written to
  // this exchange, and returns true. (A first that has begun to tell its answer is cancelled
  // instead, when the retry says that it is one.) False: it is to be answered on its own.
  bool join(Exchange& exchange);

 private:
  struct Flight;

  const Clock& clock_;
  std::mutex mutex_;  // guards flights_ and what they hold
  std::condition_variable changed_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Flight>> flights_;  // by mark_of(first)
};

class Retries::Running {
 public:
  Running(Retries& retries, Exchange& exchange, ClientSink& sink, CurrentClient& client);
  // Tells whoever joined that the answer is written, and the first, if it was replaced, that it
  // was.
  ~Running();
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  Retries& retries_;
  std::shared_ptr<Flight> flight_;
};

}  // namespace tophand::server
