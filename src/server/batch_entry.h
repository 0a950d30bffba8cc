// One request of the queue on its way through a batch of Claude's: readied, its money reserved, and
// what the batch says of it turned into its answer and the end of its row.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "backend/claude_batches.h"
#include "base/result.h"
#include "deferral/queue.h"
#include "dispatch/dispatch.h"
#include "net/cancel.h"
#include "server/asked.h"
#include "server/queued.h"

namespace tophand::server {

class BatchEntry {
 public:
  // Decides again what it may cost and whose model it is. kConflict: it is not bound for Claude any
  // more; else as Service::decide.
  static Result<std::unique_ptr<BatchEntry>> ready(Service& service, const deferral::Ticket& ticket,
                                                   std::string body, std::int64_t now_ms);

  const dispatch::Batched& batched() const { return batched_; }
  // Reserves its worst case at the batch's price; gives what to send. For errors see
  // Dispatcher::reserve_batched.
  Result<std::string> reserve(const Service& service);

 private:
  BatchEntry(const deferral::Ticket& ticket, std::string body)
      : queued_(ticket, std::move(body), nobody_) {}

  net::CancelFlag nobody_;
  Queued queued_;
  Asked asked_;
  dispatch::Job job_;
  dispatch::Batched batched_;
};

// What is told instead of an answer that the provider could not be asked for in time.
deferral::Answer unheard_answer(const deferral::Ticket& ticket, std::string body,
                                const std::string& model);

// What a result comes to.
struct BatchOutcome {
  backend::Report report;                       // for its row
  std::optional<deferral::Answer> answer = {};  // none: it has to be answered in another way
  std::optional<chat::Request> request = {};    // as it came, where that is known
  std::string text = {};                        // of the answer
};
// `ticket` and `body` are nullptr when the request was given up meanwhile.
BatchOutcome outcome_of(Service& service, const deferral::Ticket* ticket, const std::string* body,
                        const std::string& model, const backend::BatchResult& result);

}  // namespace tophand::server
