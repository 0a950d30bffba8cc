// A request of the generating routes, read and put to the rules: what its answer starts from,
// whether it is given at once, later, or in a batch.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "chat/dialect.h"
#include "dispatch/dispatch.h"
#include "net/http.h"
#include "recall/response_memory.h"
#include "server/answer.h"
#include "server/caller.h"
#include "server/routes.h"
#include "server/service.h"

namespace tophand::server {

// One request, read and decided.
struct Asked {
  chat::Request request = {};                 // as it came
  std::optional<chat::Request> readied = {};  // for a local model, where that makes a difference
  Caller caller = {};
  std::string persona = {};
  bool shortens = false;
  policy::Decision decision = {};  // from decide() on
  policy::Decision so_far = {};    // where it failed: what had been decided
  const Waited* waited = nullptr;  // of one that nobody holds a connection for
  recall::TurnPtr before = {};     // the response that it continues
  bool recalls = false;            // it names what is remembered, and means nothing without

  const chat::Request& local() const { return readied ? *readied : request; }
  chat::Request& own_local() { return readied ? *readied : readied.emplace(request); }
};

std::string_view dialect_name(chat::Dialect dialect);  // "openai_chat", as the ledger knows it
// kInvalid; kTooLarge. `body`: that of the request, or what stands in for it.
Result<> parse(const Exchange& exchange, std::string_view body, chat::Memory& memory,
               chat::Request& request);
// Not decided yet. For errors see parse(); kInvalid for a header that means nothing.
Result<Asked> read_asked(const Service& service, const Exchange& exchange);
Service::Question question_of(const Exchange& exchange, const Asked& asked);
// Readies `local` and decides. For errors see Service::decide.
Result<> decide(const Service& service, const Exchange& exchange, Asked& asked);
// Everything but the decision; it lives as long as both.
dispatch::Job job_for(const Exchange& exchange, const Asked& asked);
chat::AnswerContext context_for(const Service& service, const Exchange& exchange,
                                const chat::Request& request);
// The two headers that decide how a Messages body is read; every line of them, unchanged.
net::Headers forwarded(const net::Headers& from);

}  // namespace tophand::server
