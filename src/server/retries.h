// Recognises a request that is still being answered and comes again, because its client has given
// up on the first: the retry then gets the answer that is under way instead of a second one, so
// that a client that times out never doubles the work.
//
// A retry is a byte-identical body to the same target with the same key, the same Idempotency-Key
// and the same headers for routing, while the first is in flight, that says so (with the
// Idempotency-Key, or with x-stainless-retry-count above 0, which the vendors' SDKs send), or that
// comes when the first has waited for half a minute without a word. Two equal requests in a burst
// may well be two (best of n) and are left alone; so is a retry that does not say of which of them
// it is one.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

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
  void give_up();            // cancelled from now on
  bool is_given_up() const;  // and still there
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
  struct Flight;

  // A request that has come. When it is a retry of one in flight, it waits until that one's answer
  // has been written to its exchange. Of two with one Idempotency-Key that come at once, the second
  // waits for what becomes of the first.
  class Coming;
  // One answer in flight, from its first client's thread. While it lives, retries may join it.
  class Running;

 private:
  bool join(Exchange& exchange);
  // Both under mutex_. The flight that this may be a retry of; another one that is on its way to
  // it.
  std::shared_ptr<Flight> equal_flight(const Exchange& exchange) const;
  bool equal_comes(const Exchange& exchange) const;

  const Clock& clock_;
  std::mutex mutex_;  // guards what follows, and what it holds
  std::condition_variable changed_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Flight>> flights_;  // by mark_of(first)
  std::vector<const Exchange*> coming_;  // with an Idempotency-Key, and not in flight yet
};

class Retries::Coming {
 public:
  Coming(Retries& retries, Exchange& exchange);
  ~Coming();
  Coming(const Coming&) = delete;
  Coming& operator=(const Coming&) = delete;
  // The answer is written. False: it is to be answered on its own. (A first that has begun to tell
  // its answer is cancelled then, when the retry says that it is one.)
  bool joined() const { return joined_; }

 private:
  Retries& retries_;
  const Exchange& exchange_;
  bool joined_;
};

class Retries::Running {
 public:
  Running(Retries& retries, Exchange& exchange, ClientSink& sink, CurrentClient& client);
  // Tells whoever joined that the answer is written, and the first, if it was replaced, that it
  // was: by a status, or the end of a stream that has begun.
  ~Running();
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  void left() { left_ = true; }  // whoever was to get the answer has gone

 private:
  Retries& retries_;
  std::shared_ptr<Flight> flight_;
  bool left_ = false;
};

// What a first is told that had begun to tell its answer, when its retry is answered anew.
Error begun_anew();

}  // namespace tophand::server
