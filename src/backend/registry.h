// The backends of the configuration: owns their adapters, asks each now and then how it is and what
// it has (in a thread of its own each, so that none waits for another), and takes what answers tell
// about that in between. Nobody waits for a probe: before the
// first one the configured models are offered, and a backend counts as up until something says
// otherwise. Any thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/adapter.h"
#include "base/clock.h"
#include "base/random.h"
#include "config/config.h"
#include "net/cancel.h"
#include "policy/policy.h"

namespace tophand::backend {

struct BackendStatus {
  std::string name, kind, url;
  bool up = true;
  std::string reason;                // why it is not up
  std::string version;               // "" when it does not say
  std::vector<ModelInfo> models;     // that are offered
  std::vector<std::string> missing;  // configured, but not in its list
  std::int64_t concurrency = 0, in_flight = 0;
  std::int64_t last_probe_ms = 0;  // wall clock; 0: not probed yet
};

struct RegistryOptions {
  std::vector<config::BackendConfig> backends = {};
  const Clock* clock = nullptr;  // outlives the registry
  std::uint64_t seed = 0;        // of the jitter between probes
  // A whole probe, of several questions perhaps, is over then, however busily a backend talks.
  std::int64_t probe_ms_max = 15'000;
};

class Registry {
 public:
  // kConfig: a URL or key that cannot be used. Talks to nobody yet.
  static Result<std::unique_ptr<Registry>> create(RegistryOptions options);
  ~Registry();  // stops
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  void start();      // probes from now on, in threads of its own
  void stop();       // ends the threads; probes under way are cancelled
  void probe_all();  // once, now, in this thread

  // nullptr: none of that name. Lives as long as the registry, counts what is in flight, and
  // reports every answer's end by itself.
  Backend* find(std::string_view name) const;
  Result<> load(std::string_view name, const std::string& model, const net::Cancellation& client);
  Result<> unload(std::string_view name, const std::string& model, const net::Cancellation& client);

  // In the order of the configuration; without those that only make embeddings.
  std::vector<policy::Offer> offers() const;
  // The models of this name (or "BACKEND/MODEL") that only make embeddings, those whose backends
  // are up first. Only of machines of the team: no rule is asked about it.
  std::vector<policy::Target> embedders(std::string_view model) const;
  std::vector<BackendStatus> status() const;

  // What an answer (or its lack) told. A backend that cannot be reached is down at once; any other
  // failure of its own has it probed soon.
  void report_success(std::string_view name);
  void report_failure(std::string_view name, const Error& error);

 private:
  struct Entry;
  explicit Registry(RegistryOptions options);
  Entry* entry(std::string_view name) const;
  void run(Entry& entry);
  void probe(Entry& entry);
  void set_down(Entry& entry, const std::string& reason);  // under mutex_
  std::int64_t jittered(std::int64_t delay_ms);            // under mutex_

  const Clock* clock_;
  const std::int64_t probe_ms_max_;
  std::vector<std::unique_ptr<Entry>> entries_;  // never changes after create()
  mutable std::mutex mutex_;                     // guards the state in entries, and random_
  SplitMix64 random_;
  std::condition_variable wake_;
  bool stopping_ = false;
  net::CancelFlag stop_flag_;
};

// How long until a backend is probed again, before jitter: 15 s while it is up, 1, 2, 4 ... 60 s
// while it is not.
std::int64_t probe_delay_ms(int failures);

}  // namespace tophand::backend
