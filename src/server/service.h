// What the handlers share, and the two ends of a request that all of them have: the head's
// admission and the shape of errors. One object a gateway; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "backend/registry.h"
#include "backend/worker_supervisor.h"
#include "backend/workers.h"
#include "base/clock.h"
#include "base/result.h"
#include "chat/dialect.h"
#include "config/config.h"
#include "dispatch/dispatch.h"
#include "ledger/ledger.h"
#include "ledger/prices.h"
#include "models/store.h"
#include "net/http.h"
#include "policy/policy.h"
#include "server/guard.h"
#include "server/keys.h"
#include "server/pulse.h"
#include "server/retries.h"
#include "server/routes.h"
#include "steering/steering.h"

namespace tophand::server {

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
  backend::Registry* others = nullptr;                 // of [[backends]]; nullptr: there is none
  std::function<std::vector<policy::Offer>()> offers;  // of [[backends]], as last probed
  std::function<std::vector<backend::WorkerStatus>()> worker_status;
  std::function<std::int64_t(std::string_view)> estimate_tokens;
};

class Service {
 public:
  explicit Service(ServiceDeps deps);

  // For net::ServerOptions.
  void handle(const net::Request& request, net::ResponseWriter& writer);
  Result<std::string> admit(const net::Request& head) const { return deps_.guard->admit(head); }
  static net::ErrorReply format_error(const Error& error, std::string_view path);

  const ServiceDeps& deps() const { return deps_; }
  const dispatch::Dispatcher& dispatcher() const { return dispatcher_; }
  steering::Steering& steering() { return steering_; }
  Retries& retries() { return retries_; }
  Pulse& pulse() { return pulse_; }
  std::int64_t started_ms() const { return started_ms_; }

  // Names, priorities and classes of one request, put to the policy. `local` is the request readied
  // for a local model.
  Result<policy::Decision> decide(const net::Headers& headers, const chat::Request& local) const;

 private:
  ServiceDeps deps_;
  steering::Steering steering_;
  dispatch::Dispatcher dispatcher_;
  Retries retries_;
  Pulse pulse_;
  std::int64_t started_ms_;
};

}  // namespace tophand::server
