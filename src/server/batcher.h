// Requests of the queue that go through Anthropic's Batch API: gathered, sent, asked after, and
// their results taken. Nothing is sent that is not reserved in the ledger and noted on the disk
// before, and what may have been sent is not sent again until the provider has said that it was
// not; so a process that is killed at any moment loses nothing and pays for nothing twice:
//
//   killed before sending   the next start charges nothing and gives the requests back
//   killed while sending    the next start looks among the provider's batches for this one
//   killed afterwards       the next start asks for it by its id
//   killed while settling   results are read again; answers and rows that are there stay as they
//   are
//
// Owns a thread, which ends with the object.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "backend/claude_batches.h"
#include "base/clock.h"
#include "deferral/batch_log.h"
#include "deferral/queue.h"
#include "net/cancel.h"
#include "server/batch_entry.h"

namespace tophand::server {

struct BatcherDeps {  // all outlive it
  Service* service = nullptr;
  deferral::Queue* queue = nullptr;
  const backend::ClaudeBatches* claude = nullptr;
  const Clock* clock = nullptr;
  std::string folder;  // of the batches' files
  // What has to be answered in another way; called without a lock.
  std::function<void(const std::string& request_id)> give_back;
};

class Batcher {
 public:
  explicit Batcher(BatcherDeps deps);
  ~Batcher();
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  void add(const deferral::Ticket& ticket);
  // From add() until it is answered or given back, also over a restart.
  bool owns(const std::string& request_id) const;

 private:
  struct Sent {  // its times are of the monotonic clock
    deferral::Batch batch;
    std::int64_t next_look_ms = 0, wait_ms = 0;  // how long the last wait was
    std::set<std::string> taken = {};            // whose results have been
    std::int64_t succeeded = 0;                  // of those
    int short_reads = 0;                         // of results that did not name every request
    std::int64_t heard_ms = 0;                   // when the provider last said how it stands
  };
  using Entries = std::vector<std::unique_ptr<BatchEntry>>;

  void run();
  std::vector<deferral::Ticket> gathered();
  void form(const std::vector<deferral::Ticket>& tickets);
  Entries ready(const std::vector<deferral::Ticket>& tickets);
  std::vector<backend::BatchItem> reserve(Entries& entries);
  void send(deferral::Batch batch, const std::vector<backend::BatchItem>& items);

  void watch(deferral::Batch batch);  // one that may be under way

  bool look(Sent& sent);  // true: it is over
  bool look_at(Sent& sent);
  void tell_overdue(Sent& sent);
  std::optional<deferral::Entry> unanswered(const deferral::Batch::Item& item) const;
  std::int64_t mono_ms() const;
  std::int64_t mono_ms_at(std::int64_t wall_ms) const;  // if no clock is set until then
  bool look_for_lost(Sent& sent);
  bool is_known(const std::string& provider_id) const;
  std::optional<bool> holds_ours(const std::string& provider_id,
                                 const deferral::Batch& batch) const;
  void stop_in_time(Sent& sent);
  bool collect(Sent& sent, const backend::BatchState& state);
  bool take_missing(Sent& sent, const backend::BatchState& state);
  Result<> take(const deferral::Batch::Item& item, const backend::BatchResult& result);
  bool lose(const deferral::Batch& batch);  // false: a row could not be closed, as below
  bool give_up(const deferral::Batch& batch, const Error& why);
  void end(deferral::Batch batch, const Error& why);
  bool close_all(const deferral::Batch& batch, const backend::Report& report);
  Result<> close(const deferral::Batch::Item& item, const BatchOutcome& outcome);
  void let_go(const std::string& request_id, bool answered);
  bool save(const deferral::Batch& batch);

  const BatcherDeps deps_;
  const deferral::BatchLog log_;
  std::vector<Sent> sent_;  // of the thread alone
  net::CancelFlag stopping_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::vector<deferral::Ticket> pending_;
  std::int64_t pending_since_ms_ = 0;  // monotonic
  std::set<std::string, std::less<>> owned_;
  std::thread thread_;  // last
};

}  // namespace tophand::server
