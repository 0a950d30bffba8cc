// Requests whose clients do not wait for the answer ("Prefer: respond-async") but fetch it later:
// taken into the durable queue, answered when their time has come, by the same way as any other.
//
// A request is on the disk before its client is told that it was taken, and its answer before it
// counts as answered. What was running when the process ended is run again at the next start, with
// the numbers of its attempts going on, so that each try has its own row in the ledger; after
// kAttemptsMax rows it is given up. Thread-safe.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "deferral/queue.h"
#include "net/cancel.h"
#include "policy/deferral.h"
#include "policy/policy.h"
#include "server/routes.h"

namespace tophand::server {

class Batcher;

// "respond-async" among the preferences of the headers (RFC 7240).
bool wants_later(const net::Headers& headers);

class Later {
 public:
  static constexpr std::int64_t kAttemptsMax = 9;  // rows in the ledger, over all its runs

  // All outlive it. What waits in the queue from before is looked at from now on.
  Later(Service& service, deferral::Queue& queue, const Clock& clock);
  ~Later();  // stops
  Later(const Later&) = delete;
  Later& operator=(const Later&) = delete;

  // Puts the request into the queue and tells its client where to ask (202), or why not. A request
  // with the Idempotency-Key of one that is there is that one.
  void take(Exchange& exchange, const std::string& model, const policy::Decision& decision);
  // kNotFound, also for those of another key.
  Result<> cancel(const std::string& id, std::string_view key_id);

  struct View {
    deferral::Entry entry;
    bool running = false;
    std::string_view waits_for = "";  // "place", "night", "batch", ""
  };
  // kNotFound, also for those of another key. The commands' key sees all.
  Result<View> find(const std::string& id, std::string_view key_id) const;
  std::vector<View> list(std::string_view key_id) const;
  Result<deferral::Answer> answer_of(const std::string& id) const { return queue_.answer_of(id); }

  // Starts nothing more, waits up to `grace_ms` for what runs, then cancels it (it stays in the
  // queue); returns when nothing runs.
  void stop(std::int64_t grace_ms);

 private:
  // What is known of one that waits, beside the disk.
  struct Mind {
    bool known = false;  // the rest has been found out
    policy::Wait::What what = policy::Wait::What::kNothing;
    std::int64_t not_before_ms = 0;  // wall clock
    std::vector<policy::Target> targets = {};
    std::shared_ptr<net::CancelFlag> running = {};  // while it is
    std::thread thread = {};                        // of its run, until it has been joined
    bool came_back = false;                         // from a batch, without an answer
    bool over = false;                              // that thread is about to end
    std::optional<deferral::Answer> unkept = {};    // the disk would not take it
  };

  void watch();  // the watching thread's life
  void look(const deferral::Entry& entry, std::int64_t now_ms);
  bool find_out(const deferral::Entry& entry, std::int64_t now_ms);
  void start(const deferral::Entry& entry);
  void run(const deferral::Entry& entry, const net::CancelFlag& cancel);
  void put_back(const std::string& id, std::int64_t not_before_ms);
  void come_back(const std::string& id);
  void keep(const deferral::Entry& entry, deferral::Answer answer);
  bool keeps_again(const deferral::Entry& entry, std::int64_t now_ms);
  void join_those_over();
  View view_of(deferral::Entry entry) const;  // with mutex_ held

  Service& service_;
  deferral::Queue& queue_;
  const Clock& clock_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  bool stopped_ = false;
  std::int64_t running_ = 0;
  std::map<std::string, Mind> minds_;
  std::int64_t unkept_ = 0;           // answers that wait in memory for the disk
  std::thread watcher_;               // from the first request on
  std::unique_ptr<Batcher> batcher_;  // nullptr: there are no batches
};

}  // namespace tophand::server
