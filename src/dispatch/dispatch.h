// Carries out one decision: picks a target that is well and has room, reserves in the ledger, asks,
// settles from its usage, and goes on to the next target when that came to nothing. Before the
// first content byte every failure that is not the request's own fault may be made good elsewhere,
// in at most three attempts inside one deadline; after it the answer is ended in the dialect's own
// error form, never repeated or spliced. A client that leaves cancels the upstream, and what it may
// have cost is settled on the safe side.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "base/clock.h"
#include "chat/conversation.h"
#include "chat/upstream.h"
#include "dispatch/embedding.h"
#include "dispatch/limiter.h"
#include "ledger/counterfactual.h"
#include "ledger/ledger.h"
#include "ledger/prices.h"
#include "policy/policy.h"

namespace tophand::dispatch {

inline constexpr std::int64_t kAttemptsMax = 3;

// One request, decided. Pointers and views outlive run().
struct Job {
  std::string request_id, key_id, dialect;
  const chat::Request* request = nullptr;        // as it came; for Claude
  const chat::Request* local_request = nullptr;  // readied for a local model
  std::string_view raw_body = {};  // Messages bytes, forwarded to Claude unchanged; else empty
  std::string query = {};
  net::Headers forward = {};
  int hops = 0;                                        // gateways it came through before this one
  std::string agent = {}, persona = {}, session = {};  // as the caller declared them
  // A local model may be asked without the oldest turns when they do not fit; else it refuses.
  bool may_shorten = false;
  policy::Decision decision;
  // So long it rather waits for a local place that nobody else wants than goes to Claude, or than
  // it stands in the way of what may not wait.
  std::int64_t patience_ms = 0;
  // Its own deadline: so long, and no longer than Deps::deadline_ms, an answer has to have begun.
  // 0: it has none.
  std::int64_t begins_within_ms = 0;
  std::int64_t deferred_ms = 0;      // that it has been kept waiting on purpose so far
  std::int64_t attempts_before = 0;  // rows of it that are in the ledger already
  bool batch = false;                // it goes into a batch of the provider's: at its price
  std::string purpose = "answer";    // "shadow", "judge": for no client
  // The caller gives the answer to its client after run(), and calls Outcome::afterwards then.
  bool books_can_wait = false;
};

// What a local model was asked without.
struct Shortened {
  std::int64_t messages = 0;
  std::int64_t tokens = 0;  // about so many
};

// A backend's sink that is also told what goes on around it.
class Sink : public backend::Sink {
 public:
  struct Trying {
    const policy::Target& target;
    const std::vector<std::string>& reasons;
    std::int64_t number = 1;  // of the attempt
  };
  // What the client can still be given: a provider's own bytes, or only events, because its stream
  // has begun with a preamble of ours.
  enum class Takes : std::uint8_t { kRaw, kEvents };

  // Who is about to answer (or is waited for); before each attempt, perhaps more than once.
  virtual Takes trying(const Trying& attempt) = 0;
  // It stands in line for the place of whom trying() has named: nobody is asked before trying() is
  // called again.
  virtual void standing_in_line() {}
  // An answer has begun without content. `release` gives out what is held back of it: to be called
  // at most once, from any thread but not under a lock that the other methods take, when a second
  // has passed. An empty one takes the wish back; when it returns, none runs.
  virtual void held(std::function<void()> release) = 0;
  // The client is given nothing before the answer is whole; the next trying() begins it anew.
  virtual bool gathers() const { return false; }
  // The conversation will be asked without its oldest turns. False when the client cannot be told,
  // because its answer has begun: then it is not done.
  virtual bool shortened(const Shortened&) { return false; }
  // The backend has the request, and nothing has come of it yet: time for what nobody waits for.
  // Once an attempt, by the thread that runs it.
  virtual void asked() {}
};

struct Outcome {
  backend::Report report;  // of the last attempt
  policy::Target target;   // that made it
  std::vector<std::string> reasons;
  std::int64_t attempts = 0;    // rows in the ledger
  bool last_was_asked = false;  // so that the last row says how it ended
  ledger::NanoUsd cost = 0;     // of all of them
  std::string text = {};        // of the answer, where the decision wants it compared
  // With Job::books_can_wait: closes the row of a free answer, while the job and the sink are
  // there, and calls Sink::asked() if there was no time for it yet. May be empty.
  std::function<void()> afterwards = {};
};

// Comparisons of local answers with Claude's (comparisons.h).
struct Audit {
  std::string model;             // that answers for comparison, and judges
  ledger::NanoUsd week_max = 0;  // what both may cost in one of the ledger's weeks
};
// What a judge found.
struct Judgement {
  std::string request_id;
  std::int64_t attempt = 0;  // whose answer it is about
  bool good = false;
  std::string note;
};

// What a gate threw out. The views live as long as the call.
struct Rejected {
  const ledger::AttemptStart& attempt;
  std::string_view why, answer;
  std::string prompt;
};

struct Deps {  // all outlive the dispatcher
  ledger::Ledger* ledger = nullptr;
  const ledger::PriceBook* prices = nullptr;
  const Clock* clock = nullptr;
  // nullptr: there is none of that name, or no key for it.
  std::function<backend::Backend*(const policy::Target&)> backend_for;
  // How many requests a backend takes at once; empty: any number.
  std::function<Places(const policy::Target&)> places_for = {};
  // Whether a target's places are counted apart from those of its backend's other models; empty:
  // none are.
  std::function<bool(const policy::Target&)> is_scarce = {};
  // Estimated Claude tokens of a text.
  std::function<std::int64_t(std::string_view)> estimate_tokens;
  // How the budget stands now; empty: none is paced.
  std::function<policy::BudgetState()> budget = {};
  std::string counterfactual_model;  // would have answered where no Claude model was asked for
  // What an answer to a task of that class would have cost with Claude; empty: not reckoned.
  std::function<ledger::Counterfactual(std::string_view task_class,
                                       const ledger::LocalAnswer& answer)>
      counterfactual = {};
  // What local work of that time costs in power; empty: not reckoned.
  std::function<ledger::Energy(std::int64_t work_ms)> energy = {};
  // A request that does not say where is answered in the US, and costs what that costs.
  bool workspace_us_only = false;
  chat::ClaudeWording wording = {};    // of requests that are written anew for Claude
  std::int64_t deadline_ms = 900'000;  // to the first content, over all attempts and waits
  // A local backend that has said nothing for so long gets a rival, where another one may answer;
  // 0: never.
  std::int64_t hedge_ms = 0;
  // Called when an attempt's row has been closed, by the thread that ran it. May be empty.
  std::function<void(const ledger::AttemptStart&, const ledger::AttemptEnd&)> ended = {};
  // What a provider said of the account of one of its keys. May be empty.
  std::function<void(const std::string& key, const std::vector<policy::ProviderLimit>&)>
      limits_seen = {};
  std::optional<Audit> audit = {};  // absent: nothing is judged
  std::function<void(const Judgement&)> judged = {};
  // An answer that a gate has thrown out, which no client gets. May be empty.
  std::function<void(const Rejected&)> rejected = {};
};

// One attempt in a batch, which may outlive the process that sent it.
struct Batched {
  std::string request_id;
  std::int64_t attempt = 1;
  policy::Target target;  // of Claude
};

struct Shared;  // what requests know of each other
class Comparisons;

class Dispatcher {
 public:
  explicit Dispatcher(Deps deps);
  ~Dispatcher();
  // Any thread. The sink's answer is complete when End is kFinished; with kRefused and kFailed the
  // caller tells the client, unless report.told_client.
  Outcome run(const Job& job, Sink& sink, const net::Cancellation& client) const;
  // As run(), for vectors; of class "embedding".
  EmbeddingOutcome embed(const EmbeddingJob& job, const net::Cancellation& client) const;
  // Whether a local one of them is well and has a place that nobody waits for, at this moment.
  bool has_room(const std::vector<policy::Target>& targets) const;
  // Reserves the worst case of `job` (with Job::batch) at the price of a batch; gives the Messages
  // body to send, without "stream". For errors see open_row in account.h.
  Result<std::string> reserve_batched(const Job& job, const Batched& batched) const;
  // Closes that attempt's row by what became of it, once: a row that is closed stays as it is. One
  // that a start in between had to recover, charged in full, is put right by an adjustment.
  // `request`: as it came; nullptr when it is no longer known. `text`: of the answer.
  Result<> close_batched(const Batched& batched, const backend::Report& report,
                         const chat::Request* request, const std::string& text) const;
  // After the client has its answer: what is to be learned from it may be, beside other work. The
  // job's pointers and views need not live on.
  void compare(const Job& job, const Outcome& outcome) const;
  void wait_for_comparisons() const;  // for tests

 private:
  Deps deps_;
  std::unique_ptr<Shared> shared_;
  std::unique_ptr<Comparisons> comparisons_;  // ends before what it uses
};

// What clients are told whose answer the end of this process cuts short.
Error gateway_stops();

// What local answers are compared by, and what reservations start from: every text of the request.
std::string prompt_text(const chat::Request& request);

}  // namespace tophand::dispatch
