// What the handlers share, and the two ends of a request that all of them have: the head's
// admission and the shape of errors. One object a gateway; any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "backend/claude_batches.h"
#include "backend/key_troubles.h"
#include "backend/registry.h"
#include "backend/worker_supervisor.h"
#include "backend/workers.h"
#include "base/clock.h"
#include "base/result.h"
#include "chat/dialect.h"
#include "config/config.h"
#include "deferral/queue.h"
#include "dispatch/dispatch.h"
#include "ledger/ledger.h"
#include "ledger/prices.h"
#include "models/store.h"
#include "net/http.h"
#include "policy/policy.h"
#include "recall/response_memory.h"
#include "server/caller.h"
#include "server/guard.h"
#include "server/keys.h"
#include "server/pulse.h"
#include "server/retries.h"
#include "server/routes.h"
#include "steering/steering.h"

namespace tophand::server {

class Later;
class ModelInspector;

struct ServiceDeps {  // pointers outlive the service
  config::Config config;
  Guard* guard = nullptr;
  models::Store* models = nullptr;
  ModelInspector* inspector = nullptr;
  ledger::Ledger* ledger = nullptr;
  const ledger::PriceBook* prices = nullptr;
  const Clock* clock = nullptr;
  backend::Workers* workers = nullptr;
  // nullptr: there is none of that name, or no key for it.
  std::function<backend::Backend*(const policy::Target&)> backend_for;
  bool has_claude_key = false;
  std::function<std::vector<backend::KeyTrouble>()> key_troubles = {};  // empty: not known
  // See dispatch::Deps; empty: not kept.
  std::function<void(const dispatch::Rejected&)> rejected = {};
  policy::SampleSeed sample_seed = {};  // draws the requests that are looked at more closely
  backend::Registry* others = nullptr;  // of [[backends]]; nullptr: there is none
  std::function<std::vector<policy::Offer>()> offers;  // of [[backends]], as last probed
  std::function<std::vector<backend::WorkerStatus>()> worker_status;
  std::function<std::int64_t(std::string_view)> estimate_tokens;
  const backend::ClaudeBatches* batches = nullptr;  // nullptr: there is no key for it
  deferral::Queue* queue = nullptr;  // of what waits without a connection; nullptr: nothing may
  std::string learned_classes = {};  // see steering::Deps
  std::function<void(const std::string&)> keep_classes = {};
};

class Service {
 public:
  explicit Service(ServiceDeps deps);
  ~Service();

  // For net::ServerOptions.
  void handle(const net::Request& request, net::ResponseWriter& writer);
  Result<std::string> admit(const net::Request& head) const { return deps_.guard->admit(head); }
  static net::ErrorReply format_error(const Error& error, std::string_view path);

  const ServiceDeps& deps() const { return deps_; }
  const dispatch::Dispatcher& dispatcher() const { return dispatcher_; }
  steering::Steering& steering() { return steering_; }
  Retries& retries() { return retries_; }
  Pulse& pulse() { return pulse_; }
  recall::ResponseMemory& responses() { return responses_; }
  const recall::ResponseMemory& responses() const { return responses_; }
  // Held while the ledger is compared and booked: two at once would book the same difference twice.
  std::mutex& booking_mutex() { return booking_mutex_; }
  Later* later() { return later_.get(); }              // nullptr: see ServiceDeps::queue
  std::atomic<std::int64_t>& held() { return held_; }  // clients that may be kept waiting now
  std::int64_t started_ms() const { return started_ms_; }

  // See server/gateway.h.
  Result<std::vector<std::string>> reload(const config::Config& config);
  void reload_failed(const Error& error);
  // What became of the configuration since the start.
  struct Reloads {
    std::int64_t loaded_ms = 0;                   // when what is in force was read
    std::string error = {};                       // of the last reading; "" when it was taken
    std::vector<std::string> needs_restart = {};  // keys that have changed and wait
    std::vector<std::string> warnings = {};
  };
  Reloads reloads() const;

  // Names, priorities and classes of one request, put to the policy.
  struct Question {
    const net::Headers& headers;
    const chat::Request& local;  // the request, readied for a local model
    std::string_view key_id = {};
    const Caller* caller = nullptr;  // nullptr: nobody's conversation (embeddings)
    std::string_view persona = {};   // persona_of() its model
    bool explain = false;
    std::string_view request_id = {};    // "": asked for an explanation only
    policy::Decision* so_far = nullptr;  // see policy::decide
  };
  Result<policy::Decision> decide(const Question& question) const;
  // Guesses the class of a request that was decided without (Decision::class_open).
  void guess_class(const Question& question, policy::Decision& decision) const;
  // The profile or alias that a request names as its model, in lower case, as the case of names
  // does not matter; "" when it names none.
  std::string persona_of(std::string_view model) const;

 private:
  Result<> set_limits(const config::BudgetConfig& budget);  // under limits_mutex_
  void follow_keys();
  void find_local_models(std::string_view asked, const std::string& standard,
                         policy::Facts& facts) const;

  ServiceDeps deps_;
  steering::Steering steering_;
  dispatch::Dispatcher dispatcher_;
  Retries retries_;
  Pulse pulse_;
  recall::ResponseMemory responses_;
  std::atomic<std::int64_t> held_{0};
  std::int64_t started_ms_;
  std::mutex booking_mutex_;
  std::mutex limits_mutex_;
  config::BudgetConfig budget_;                // in force
  std::atomic<std::uint64_t> keys_capped_{0};  // KeyStore::changes() when the caps were named
  mutable std::mutex reloads_mutex_;
  Reloads reloads_;
  std::unique_ptr<Later> later_;  // last: ends before what it uses
};

}  // namespace tophand::server
