// A request of the queue, as the routes see it: read again from what was kept of it, its answer
// kept in turn. One thread at a time.
#pragma once

#include <string>

#include "deferral/queue.h"
#include "net/http.h"
#include "server/kept_writer.h"
#include "server/routes.h"

namespace tophand::server {

class Queued {
 public:
  // `client` outlives it.
  Queued(const deferral::Ticket& ticket, std::string body, const net::Cancellation& client);
  Queued(const Queued&) = delete;
  Queued& operator=(const Queued&) = delete;

  Exchange& exchange() { return exchange_; }
  KeptWriter& writer() { return writer_; }
  // What has been written, with the headers of ours that tell where it came from.
  deferral::Answer answer();

 private:
  const net::Request request_;
  KeptWriter writer_;
  Exchange exchange_;
};

// What is to be kept of a request's headers: what decides what becomes of it, and never a key.
deferral::HeaderLines kept_headers(const net::Headers& from);
// The moment at which it has to be begun to be answered in time, wall clock.
std::int64_t start_by_ms(const deferral::Ticket& ticket);
// Since it came. Never negative, as no row of the ledger is, though the clock may have been set
// back.
std::int64_t waited_ms(const deferral::Ticket& ticket, std::int64_t now_ms);
// Of its answers in the ledger, the highest number of an attempt; 0: there is none.
std::int64_t attempts_of(Service& service, const std::string& request_id);

}  // namespace tophand::server
