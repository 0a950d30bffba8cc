// Carries out one decision: reserves in the ledger, asks a backend, settles from its usage. Before
// the first content byte a failure may go to the next target of the decision; after it the answer
// is ended in the dialect's own error form, never repeated or spliced. A client that leaves cancels
// the upstream, and what it may have cost is settled on the safe side.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "base/clock.h"
#include "chat/conversation.h"
#include "ledger/ledger.h"
#include "ledger/prices.h"
#include "policy/policy.h"

namespace tophand::dispatch {

// One request, decided. Pointers and views outlive run().
struct Job {
  std::string request_id, key_id, dialect;
  const chat::Request* request = nullptr;        // as it came; for Claude
  const chat::Request* local_request = nullptr;  // readied for a local model
  std::string_view raw_body = {};  // Messages bytes, forwarded to Claude unchanged; else empty
  std::string query = {};
  net::Headers forward = {};
  int hops = 0;  // gateways it came through before this one
  policy::Decision decision;
};

// A backend's sink that is also told who is about to answer, before each attempt.
class Sink : public backend::Sink {
 public:
  virtual void trying(const policy::Target& target, const std::vector<std::string>& reasons) = 0;
};

struct Outcome {
  backend::Report report;  // of the last attempt
  policy::Target target;   // that made it
  std::vector<std::string> reasons;
};

struct Deps {  // all outlive the dispatcher
  ledger::Ledger* ledger = nullptr;
  const ledger::PriceBook* prices = nullptr;
  const Clock* clock = nullptr;
  // nullptr: there is none of that name, or no key for it.
  std::function<backend::Backend*(const policy::Target&)> backend_for;
  // Estimated Claude tokens of a text.
  std::function<std::int64_t(std::string_view)> estimate_tokens;
  std::string counterfactual_model;  // whose list price local answers are compared with
};

class Dispatcher {
 public:
  explicit Dispatcher(Deps deps) : deps_(std::move(deps)) {}
  // Any thread. The sink's answer is complete when End is kFinished; with kRefused and kFailed the
  // caller tells the client, unless report.told_client.
  Outcome run(const Job& job, Sink& sink, const net::Cancellation& client) const;

 private:
  struct Attempt;
  Result<std::int64_t> open_row(const Job& job, const Attempt& attempt) const;
  void close_row(const Job& job, const Attempt& attempt) const;
  ledger::NanoUsd claude_cost(const Job& job, const Attempt& attempt) const;
  ledger::NanoUsd counterfactual(const Job& job, const Attempt& attempt) const;
  bool try_target(const Job& job, Attempt& attempt, Sink& sink,
                  const net::Cancellation& client) const;

  Deps deps_;
};

// What local answers are compared by, and what reservations start from: every text of the request.
std::string prompt_text(const chat::Request& request);

}  // namespace tophand::dispatch
