#include "backend/registry.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "backend/moment.h"
#include "base/log.h"

namespace tophand::backend {
namespace {

constexpr std::int64_t kUpDelayMs = 15'000;
constexpr std::int64_t kDownDelayMs = 1'000;
constexpr std::int64_t kDownDelayMsMax = 60'000;
constexpr double kJitter = 0.2;  // of the delay, to both sides: gateways must not march in step
constexpr std::int64_t kNsPerMs = 1'000'000;

using policy::same_model;

const ModelInfo* find_model(const std::vector<ModelInfo>& models, std::string_view name) {
  const auto found = std::ranges::find_if(
      models, [&](const ModelInfo& model) { return same_model(model.name, name); });
  return found == models.end() ? nullptr : &*found;
}

}  // namespace

struct Registry::Entry final : Backend {
  Entry(Registry& registry, config::BackendConfig its_config, std::unique_ptr<Adapter> its_adapter)
      : owner(registry),
        config(std::move(its_config)),
        outside(!config::is_in_house(config)),
        adapter(std::move(its_adapter)) {}

  Report answer(const Call& call, Sink& sink, const net::Cancellation& client) override {
    ++in_flight;
    Report report = adapter->answer(call, sink, client);
    --in_flight;
    if (report.end == End::kFinished) owner.report_success(config.name);
    else if (report.end != End::kCancelled && report.failure)
      owner.report_failure(config.name, report.failure->error);
    return report;
  }
  Result<std::int64_t> count(const Call& call, const net::Cancellation& client) override {
    return adapter->count(call, client);
  }
  Result<chat::EmbeddingAnswer> embed(const std::string& model,
                                      const chat::EmbeddingRequest& request, net::Headers& kept,
                                      const net::Cancellation& client) override {
    ++in_flight;
    auto answer = adapter->embed(model, request, kept, client);
    --in_flight;
    if (answer) owner.report_success(config.name);
    else if (answer.error().code != Code::kCancelled)
      owner.report_failure(config.name, answer.error());
    return answer;
  }
  std::vector<ModelInfo> offered() const;

  Registry& owner;
  const config::BackendConfig config;
  const bool outside;  // what is sent there leaves the house
  const std::unique_ptr<Adapter> adapter;
  std::atomic<std::int64_t> in_flight{0};
  // Guarded by the registry's mutex:
  bool up = true;
  std::string reason;
  Probed found;
  std::int64_t last_probe_ms = 0;
  std::int64_t next_probe_ns = 0;
  int failures = 0;  // probes in a row

  std::thread prober = {};  // the registry's start() and stop() only
};

// What it lists, or of that what the configuration names; configured models even when it lists
// nothing.
std::vector<ModelInfo> Registry::Entry::offered() const {
  std::vector<std::string> names = config.models;
  if (names.empty())
    for (const ModelInfo& model : found.models) names.push_back(model.name);
  const auto is_local = [&](const std::string& name) {
    return same_model(name, config.local_model);
  };
  if (!config.local_model.empty() && std::ranges::none_of(names, is_local))
    names.push_back(config.local_model);
  std::vector<ModelInfo> out;
  for (const std::string& name : names) {
    const ModelInfo* known = find_model(found.models, name);
    out.push_back(known != nullptr ? *known : ModelInfo{});
    out.back().name = name;
    if (config.images) out.back().takes_images = true;
    if (config.context_tokens > 0) out.back().context_tokens = config.context_tokens;
  }
  return out;
}

std::int64_t probe_delay_ms(int failures) {
  if (failures <= 0) return kUpDelayMs;
  constexpr int kDoublingsMax = 6;
  return std::min(kDownDelayMsMax, kDownDelayMs << std::min(failures - 1, kDoublingsMax));
}

Registry::Registry(RegistryOptions options)
    : clock_(options.clock), probe_ms_max_(options.probe_ms_max), random_(options.seed) {}

Result<std::unique_ptr<Registry>> Registry::create(RegistryOptions options) {
  std::vector<config::BackendConfig> backends = std::move(options.backends);
  std::unique_ptr<Registry> registry(new Registry(std::move(options)));
  for (config::BackendConfig& config : backends) {
    auto adapter = make_adapter(config);
    if (!adapter) return tl::unexpected(adapter.error());
    registry->entries_.push_back(
        std::make_unique<Entry>(*registry, std::move(config), std::move(*adapter)));
  }
  return registry;
}

Registry::~Registry() {
  stop();
}

void Registry::start() {
  for (const std::unique_ptr<Entry>& entry : entries_)
    entry->prober = std::thread([this, &entry = *entry] { run(entry); });
}

void Registry::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_flag_.cancel();
  wake_.notify_all();
  for (const std::unique_ptr<Entry>& entry : entries_)
    if (entry->prober.joinable()) entry->prober.join();
}

void Registry::run(Entry& entry) {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const std::int64_t wait_ns = entry.next_probe_ns - clock_->mono_ns();
    if (wait_ns > 0) {
      wake_.wait_for(lock, std::chrono::nanoseconds(wait_ns));
      continue;
    }
    lock.unlock();
    probe(entry);
    lock.lock();
  }
}

void Registry::probe_all() {
  for (const std::unique_ptr<Entry>& entry : entries_) probe(*entry);
}

void Registry::probe(Entry& entry) {
  const Moment time(stop_flag_, probe_ms_max_);
  auto probed = entry.adapter->probe(time);
  if (!probed && time.is_over())
    probed = fail(Code::kDeadline,
                  "no answer to a probe within " + std::to_string(probe_ms_max_ / 1000) + " s");
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  entry.last_probe_ms = clock_->wall_ms();
  if (probed) {
    if (!entry.up) log::info("backend.up", {{"backend", entry.config.name}});
    entry.up = true;
    entry.reason.clear();
    entry.failures = 0;
    entry.found = std::move(*probed);
  } else {
    set_down(entry, probed.error().message);
    ++entry.failures;
  }
  entry.next_probe_ns = clock_->mono_ns() + jittered(probe_delay_ms(entry.failures)) * kNsPerMs;
}

void Registry::set_down(Entry& entry, const std::string& reason) {
  if (entry.up) log::warn("backend.down", {{"backend", entry.config.name}, {"reason", reason}});
  entry.up = false;
  entry.reason = reason;
}

std::int64_t Registry::jittered(std::int64_t delay_ms) {
  const double factor = 1 + kJitter * (2 * random_.uniform() - 1);
  return static_cast<std::int64_t>(static_cast<double>(delay_ms) * factor);
}

Registry::Entry* Registry::entry(std::string_view name) const {
  const auto found = std::ranges::find_if(
      entries_, [&](const std::unique_ptr<Entry>& each) { return each->config.name == name; });
  return found == entries_.end() ? nullptr : found->get();
}

Backend* Registry::find(std::string_view name) const {
  return entry(name);
}

Result<> Registry::load(std::string_view name, const std::string& model,
                        const net::Cancellation& client) {
  Entry* found = entry(name);
  if (found == nullptr) return fail(Code::kNotFound, "no backend '" + std::string(name) + "'");
  return found->adapter->load(model, client);
}

Result<> Registry::unload(std::string_view name, const std::string& model,
                          const net::Cancellation& client) {
  Entry* found = entry(name);
  if (found == nullptr) return fail(Code::kNotFound, "no backend '" + std::string(name) + "'");
  return found->adapter->unload(model, client);
}

std::vector<policy::Offer> Registry::offers() const {
  std::vector<policy::Offer> out;
  const std::lock_guard lock(mutex_);
  for (const std::unique_ptr<Entry>& entry : entries_)
    for (const ModelInfo& model : entry->offered()) {
      if (!model.can_generate) continue;
      out.push_back({.backend = entry->config.name,
                     .model = model.name,
                     .up = entry->up,
                     .stands_for_local = !entry->config.local_model.empty() &&
                                         same_model(model.name, entry->config.local_model),
                     .takes_images = model.takes_images,
                     .context_tokens = model.context_tokens,
                     .outside = entry->outside});
    }
  return out;
}

std::vector<policy::Target> Registry::embedders(std::string_view model) const {
  std::vector<policy::Target> out;
  const std::lock_guard lock(mutex_);
  for (const bool up : {true, false})
    for (const std::unique_ptr<Entry>& entry : entries_)
      for (const ModelInfo& offered : entry->offered()) {
        const bool named = same_model(model, offered.name) ||
                           same_model(model, entry->config.name + "/" + offered.name);
        if (named && !offered.can_generate && entry->up == up && !entry->outside)
          out.push_back({policy::Place::kLocal, offered.name, entry->config.name});
      }
  return out;
}

std::vector<BackendStatus> Registry::status() const {
  std::vector<BackendStatus> out;
  const std::lock_guard lock(mutex_);
  for (const std::unique_ptr<Entry>& entry : entries_) {
    BackendStatus status{.name = entry->config.name,
                         .kind = entry->config.kind,
                         .url = entry->config.url,
                         .up = entry->up,
                         .reason = entry->reason,
                         .version = entry->found.version,
                         .models = entry->offered(),
                         .missing = {},
                         .concurrency = entry->config.concurrency,
                         .in_flight = entry->in_flight,
                         .last_probe_ms = entry->last_probe_ms};
    if (entry->last_probe_ms > 0 && !entry->found.models.empty())
      for (const ModelInfo& model : status.models)
        if (find_model(entry->found.models, model.name) == nullptr)
          status.missing.push_back(model.name);
    out.push_back(std::move(status));
  }
  return out;
}

void Registry::report_success(std::string_view name) {
  Entry* found = entry(name);
  if (found == nullptr) return;
  const std::lock_guard lock(mutex_);
  if (found->up) return;
  log::info("backend.up", {{"backend", found->config.name}});
  found->up = true;
  found->reason.clear();
  found->failures = 0;
}

void Registry::report_failure(std::string_view name, const Error& error) {
  Entry* found = entry(name);
  const bool its_own = error.code == Code::kUnavailable || error.code == Code::kUpstream ||
                       error.code == Code::kDeadline || error.code == Code::kConfig ||
                       error.code == Code::kNotFound;
  if (found == nullptr || !its_own) return;
  {
    const std::lock_guard lock(mutex_);
    if (error.code == Code::kUnavailable) set_down(*found, error.message);
    const std::int64_t soon = clock_->mono_ns() + jittered(kDownDelayMs) * kNsPerMs;
    found->next_probe_ns = std::min(found->next_probe_ns, soon);
  }
  wake_.notify_all();
}

}  // namespace tophand::backend
