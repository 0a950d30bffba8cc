// Runs local models beside Claude, and judges beside local models, after the client has had its
// answer: nothing here delays anybody. One thread takes one comparison after the other; what does
// not fit into the short queue, or finds the machine busy, is dropped, and a local run ends at once
// when a client wants its backend. What Claude takes part in is bounded by a budget of its own,
// within those of the ledger. Thread-safe. Private to dispatch/.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "dispatch/dispatch.h"
#include "dispatch/flow.h"
#include "dispatch/stop.h"
#include "net/cancel.h"

namespace tophand::dispatch {

class Comparisons {
 public:
  static constexpr std::size_t kWaitingMax = 4;

  // Both outlive it.
  Comparisons(const Deps& deps, Shared& shared);
  ~Comparisons();  // ends what runs
  Comparisons(const Comparisons&) = delete;
  Comparisons& operator=(const Comparisons&) = delete;

  // Takes what it needs of a request that was answered, when its decision wants a comparison.
  void offer(const Job& job, const Outcome& outcome);
  void wait_until_idle();  // for tests

 private:
  // A request with the answer that its client got, and the other one.
  struct Pair {
    Job job;  // its pointers are to the two copies below
    chat::Request request, local_request;
    std::optional<policy::Target> local_to_run;  // a shadow; else local has answered
    std::string local_text, claude_text;
    std::int64_t local_attempt = 0, claude_attempt = 0;
  };
  class Spending;  // on comparisons, by week

  void work();
  void compare(Pair& pair);
  bool run_local(Pair& pair, const policy::Target& target);
  bool run_claude(Pair& pair);
  void judge(const Pair& pair);
  struct Question {
    const chat::Request* request = nullptr;
    std::string purpose;      // "shadow", "judge"
    std::int64_t number = 0;  // of the attempt
  };
  std::optional<std::string> ask_claude(const Pair& pair, const Question& question);

  const Deps& deps_;
  Shared& shared_;
  std::unique_ptr<Spending> spending_;
  std::mutex mutex_;  // guards the queue and what follows
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Pair>> waiting_;
  bool busy_ = false, ending_ = false;
  net::CancelFlag ended_;  // the gateway goes
  std::thread thread_;
};

}  // namespace tophand::dispatch
