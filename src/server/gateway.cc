#include "server/gateway.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <utility>

#include "backend/claude_backend.h"
#include "backend/engine_backend.h"
#include "backend/registry.h"
#include "backend/worker_supervisor.h"
#include "base/log.h"
#include "base/private_file.h"
#include "base/random.h"
#include "chat/token_estimate.h"
#include "server/cap_names.h"
#include "server/data_lock.h"
#include "server/handlers.h"
#include "server/inspector.h"
#include "server/later.h"
#include "server/nightly.h"
#include "server/reconcile.h"
#include "server/rejected_answers.h"
#include "server/service.h"

namespace tophand::server {
namespace {

constexpr std::int64_t kMemorySlackMib = 1024;  // address space beside what the worker accounts for

Result<> make_private_dir(const std::string& path) {
  std::error_code failed;
  std::filesystem::create_directories(path, failed);
  if (failed) return fail(Code::kIo, "create " + path + ": " + failed.message());
  ::chmod(path.c_str(), 0700);
  return {};
}

std::string models_dir(const GatewayOptions& options) {
  return options.config.models.dir.empty() ? options.data_dir + "/models"
                                           : options.config.models.dir;
}

std::vector<std::string> engine_arguments(const config::Config& config, const std::string& model,
                                          const std::string& file, const std::string& socket) {
  const config::EngineConfig& engine = config.engine;
  std::vector<std::string> words{
      "engine", "--model", file, "--socket", socket, "--parent", std::to_string(getpid())};
  const auto add = [&](const char* flag, std::string value) {
    words.emplace_back(flag);
    words.push_back(std::move(value));
  };
  if (engine.threads > 0) add("--threads", std::to_string(engine.threads));
  add("--context", std::to_string(engine.context_tokens));
  if (engine.memory_mib_max > 0) add("--memory-mib", std::to_string(engine.memory_mib_max));
  if (!engine.kernel.empty()) add("--kernel", engine.kernel);
  const auto& templates = config.models.templates;
  const auto& pre_tokenizers = config.models.pre_tokenizers;
  if (const auto found = templates.find(model); found != templates.end())
    add("--template", found->second);
  if (const auto found = pre_tokenizers.find(model); found != pre_tokenizers.end())
    add("--pre-tokenizer", found->second);
  return words;
}

// What declared requests taught of classes, in the data folder (0600); see docs/routing.md.
constexpr std::string_view kClassFile = "/class_model.bin";

// "" when there is none.
std::string read_learned(const std::string& path) {
  constexpr std::uintmax_t kBytesMax = 4u << 20;
  std::error_code absent;
  const std::uintmax_t size = std::filesystem::file_size(path, absent);
  if (absent) return "";
  std::ifstream in(path, std::ios::binary);
  std::string bytes(std::min(size, kBytesMax), '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(in.gcount()));
  return bytes;
}

void keep_learned(const std::string& path, const std::string& bytes) {
  if (const auto kept = write_private_file(path, bytes); !kept)
    log::warn("classes.not_kept", {{"error", kept.error().message}});
}

class RunningGateway final : public Gateway {
 public:
  explicit RunningGateway(GatewayOptions options)
      : options_(std::move(options)),
        keys_(options_.data_dir),
        store_(models_dir(options_)),
        inspector_(options_.engine_program) {}
  ~RunningGateway() override { stop(0); }

  Result<> open();
  Result<> listen();

  const std::string& url() const override { return url_; }
  const std::string& first_key() const override { return first_key_; }
  Result<std::vector<std::string>> reload(const config::Config& config) override {
    return service_->reload(config);
  }
  void reload_failed(const Error& error) override { service_->reload_failed(error); }
  void stop(int grace_ms) override;

 private:
  Result<> open_account();
  Result<> open_keys();
  Result<> open_backends();
  void compare_accounts();  // the ledger with Anthropic's
  Result<> open_sample_seed();
  Result<> open_queue();
  std::function<void(const dispatch::Rejected&)> rejected_sink();
  backend::Backend* backend_for(const policy::Target& target) const;

  GatewayOptions options_;
  KeyStore keys_;
  models::Store store_;
  ModelInspector inspector_;
  std::optional<DataLock> lock_;
  policy::SampleSeed sample_seed_ = {};
  std::optional<RejectedAnswers> rejected_;
  ledger::PriceBook prices_;
  std::unique_ptr<ledger::Ledger> ledger_;
  std::unique_ptr<backend::WorkerSupervisor> supervisor_;
  std::unique_ptr<backend::EngineBackend> local_;
  std::unique_ptr<backend::ClaudeBackend> claude_;
  std::unique_ptr<backend::ClaudeBatches> batches_;
  std::unique_ptr<backend::Registry> others_;
  std::unique_ptr<Guard> guard_;
  std::unique_ptr<deferral::Queue> queue_;
  std::unique_ptr<Service> service_;
  std::optional<Nightly> nightly_;
  std::unique_ptr<net::Server> server_;  // last: stops before what its handlers use
  std::string url_, first_key_;
};

Result<> RunningGateway::open_account() {
  auto prices = ledger::PriceBook::load(options_.config.prices_file);
  if (!prices) return tl::unexpected(std::move(prices.error()).within("prices"));
  prices_ = std::move(*prices);
  auto opened = ledger::Ledger::open(options_.data_dir + "/ledger.db", system_clock(),
                                     prices_.version(), std::nullopt);
  if (!opened) return tl::unexpected(std::move(opened.error()).within("ledger"));
  ledger_ = std::move(*opened);
  return ledger_->set_limits(limits_of(options_.config.budget, keys_));
}

// Made once: a request's draw must not hang on when the gateway was started.
Result<> RunningGateway::open_sample_seed() {
  const std::string path = options_.data_dir + "/sample-seed";
  std::string text;
  std::ifstream(path) >> text;
  if (text.size() != 32) {
    text = random_hex(16);
    TOPHAND_CHECK("sample seed", write_private_file(path, text + "\n"));
  }
  for (std::size_t i = 0; i < 2; ++i) {
    const char* digits = text.data() + 16 * i;
    if (std::from_chars(digits, digits + 16, sample_seed_.at(i), 16).ptr != digits + 16)
      return fail(Code::kCorrupt, path + " holds no 32 hexadecimal digits: remove it");
  }
  return {};
}

Result<> RunningGateway::open_queue() {
  const config::DeferConfig& defer = options_.config.defer;
  TOPHAND_TRY(queue, "queue",
              deferral::Queue::open(
                  options_.data_dir + "/deferred",
                  {.entries_max = defer.queue_max, .keep_ms = defer.keep_answers_s * 1000}));
  queue_ = std::move(queue);
  return {};
}

std::function<void(const dispatch::Rejected&)> RunningGateway::rejected_sink() {
  if (!options_.config.learning.keep_rejected) return {};
  rejected_.emplace(options_.data_dir + "/rejected.jsonl");
  return [this](const dispatch::Rejected& rejected) {
    rejected_->add(rejected, system_clock().wall_ms());
  };
}

Result<> RunningGateway::open_keys() {
  const std::int64_t now_ms = system_clock().wall_ms();
  TOPHAND_CHECK("keys", keys_.list());
  // The commands' own key is there after any of them ran, and nobody's program has it.
  if (!keys_.has_any_but_cli() && options_.first_key == GatewayOptions::FirstKey::kMake) {
    TOPHAND_TRY(made, "keys", keys_.create("first", now_ms));
    first_key_ = made.secret;
  }
  return keys_.renew_cli_key(now_ms);
}

Result<> RunningGateway::open_backends() {
  const config::EngineConfig& engine = options_.config.engine;
  backend::SupervisorOptions workers;
  workers.program = options_.engine_program;
  workers.run_dir = options_.data_dir + "/run";
  using Weights = backend::SupervisorOptions::Weights;
  workers.find_weights = [this](const std::string& model) -> Result<Weights> {
    auto found = store_.weights(model);
    if (!found) return tl::unexpected(found.error());
    return Weights{std::move(found->name), std::move(found->path)};
  };
  workers.arguments = [this](const std::string& model, const std::string& file,
                             const std::string& socket) {
    return engine_arguments(options_.config, model, file, socket);
  };
  if (engine.memory_mib_max > 0) workers.memory_mib_max = engine.memory_mib_max + kMemorySlackMib;
  TOPHAND_TRY(supervisor, "workers", backend::WorkerSupervisor::create(std::move(workers)));
  supervisor_ = std::move(supervisor);
  local_ = std::make_unique<backend::EngineBackend>(*supervisor_);
  TOPHAND_TRY(
      others, "backends",
      backend::Registry::create({.backends = options_.config.backends,
                                 .clock = &system_clock(),
                                 .seed = static_cast<std::uint64_t>(system_clock().mono_ns())}));
  others_ = std::move(others);
  others_->start();
  const config::ClaudeConfig& claude = options_.config.claude;
  if (claude.keys.empty()) return {};
  TOPHAND_TRY(
      made, "Claude",
      backend::ClaudeBackend::create({.base_url = claude.base_url,
                                      .keys = claude.keys,
                                      .ca_file = claude.ca_file,
                                      .timeout_ms = static_cast<int>(claude.timeout_s * 1000)}));
  claude_ = std::move(made);
  TOPHAND_TRY(
      batches, "Claude",
      backend::ClaudeBatches::create(
          {.base_url = claude.base_url, .ca_file = claude.ca_file, .key = claude.keys.front()}));
  batches_ = std::move(batches);
  return {};
}

backend::Backend* RunningGateway::backend_for(const policy::Target& target) const {
  if (target.place == policy::Place::kClaude) return claude_.get();
  return target.backend.empty() ? local_.get() : others_->find(target.backend);
}

Result<> RunningGateway::open() {
  TOPHAND_CHECK("configuration", steering::check_routing(options_.config));
  TOPHAND_CHECK("data folder", make_private_dir(options_.data_dir));
  TOPHAND_CHECK("data folder", make_private_dir(options_.data_dir + "/run"));
  auto lock = DataLock::take(options_.data_dir + "/run/lock");
  if (!lock) return tl::unexpected(lock.error());
  lock_.emplace(std::move(*lock));
  std::error_code ignored;  // looked into with each request, which costs more while it is absent
  std::filesystem::create_directories(models_dir(options_), ignored);
  TOPHAND_CHECK("start", open_account());
  TOPHAND_CHECK("start", open_keys());
  TOPHAND_CHECK("start", open_sample_seed());
  TOPHAND_CHECK("start", open_queue());
  return open_backends();
}

Result<> RunningGateway::listen() {
  const config::Config& config = options_.config;
  TOPHAND_TRY(address, "server.listen", allowed_listen(config.server));
  guard_ = std::make_unique<Guard>(GuardOptions{.listen_host = address.host,
                                                .listen_port = address.port,
                                                .allowed_hosts = config.server.allowed_hosts},
                                   keys_);
  const auto family = chat::claude_token_family(config.claude.model);
  service_ = std::make_unique<Service>(ServiceDeps{
      .config = config,
      .guard = guard_.get(),
      .models = &store_,
      .inspector = &inspector_,
      .ledger = ledger_.get(),
      .prices = &prices_,
      .clock = &system_clock(),
      .workers = supervisor_.get(),
      .backend_for = [this](const policy::Target& target) { return backend_for(target); },
      .has_claude_key = claude_ != nullptr,
      .key_troubles =
          [this] { return claude_ ? claude_->key_troubles() : std::vector<backend::KeyTrouble>(); },
      .rejected = rejected_sink(),
      .sample_seed = sample_seed_,
      .others = others_.get(),
      .offers = [this] { return others_->offers(); },
      .worker_status = [this] { return supervisor_->status(); },
      .estimate_tokens =
          [family](std::string_view text) { return chat::estimate_tokens(family, text); },
      .batches = batches_.get(),
      .queue = queue_.get(),
      .learned_classes = read_learned(options_.data_dir + std::string(kClassFile)),
      .keep_classes = [path = options_.data_dir + std::string(kClassFile)](
                          const std::string& bytes) { keep_learned(path, bytes); }});
  net::ServerOptions server;
  server.address = address.host;
  server.port = address.port;
  server.limits.body_bytes_max = static_cast<std::size_t>(config.server.body_mib_max) << 20;
  server.limits.connections_max = static_cast<std::size_t>(config.server.connections_max);
  server.limits.stall_timeout_ms = static_cast<int>(config.server.stall_s * 1000);
  server.handler = [this](const net::Request& request, net::ResponseWriter& writer) {
    service_->handle(request, writer);
  };
  server.gatekeeper = [this](const net::Request& head) { return service_->admit(head); };
  server.body_chooser = [this](const net::Request& head) {
    return choose_body_place(store_, head);
  };
  server.error_formatter = Service::format_error;
  auto started = net::Server::start(std::move(server));
  if (!started && started.error().code == Code::kConflict)
    started.error().message +=
        "; another program listens there (`ss -ltnp` shows which): end it, or "
        "choose another address with --listen or [server] listen";
  if (!started) return tl::unexpected(std::move(started).error().within("listen"));
  server_ = std::move(*started);
  guard_->set_port(server_->port());
  const bool v6 = address.host.find(':') != std::string::npos;
  url_ = "http://" + (v6 ? "[" + address.host + "]" : address.host) + ":" +
         std::to_string(server_->port());
  TOPHAND_CHECK("endpoint", write_private_file(options_.data_dir + "/run/endpoint", url_ + "\n"));
  store_.remove_unused_uploads();
  if (!config.claude.admin_key.empty())
    nightly_.emplace(system_clock(), [this] { compare_accounts(); });
  if (options_.preload == GatewayOptions::Preload::kDefaultModel) {
    if (const auto model = store_.find(config.models.local)) supervisor_->preload(model->name);
    else log::warn("model.missing", {{"hint", "tophand pull " + config.models.local}});
  }
  return {};
}

void RunningGateway::compare_accounts() {
  const auto found = reconcile(*ledger_, prices_, options_.config.claude, kReconcileDaysDefault,
                               system_clock().wall_ms(), nullptr);
  if (!found) return log::warn("ledger.not_reconciled", {{"error", found.error().message}});
  for (const ReconcileLine& line : found->lines)
    if (line.complete && line.residual() != 0)
      log::warn("ledger.residual", {{"day_ms", line.day_ms},
                                    {"model", line.model},
                                    {"ledger_nano_usd", line.our_cost},
                                    {"account_nano_usd", line.their_cost}});
  log::info("ledger.reconciled", {{"lines", found->lines.size()}});
}

void RunningGateway::stop(int grace_ms) {
  nightly_.reset();
  const std::int64_t begun_ms = system_clock().mono_ns() / 1'000'000;
  if (server_) {
    server_->stop(grace_ms);
    server_.reset();
    ::unlink((options_.data_dir + "/run/endpoint").c_str());
  }
  const std::int64_t gone_ms = system_clock().mono_ns() / 1'000'000 - begun_ms;
  if (service_ && service_->later() != nullptr)
    service_->later()->stop(std::max<std::int64_t>(0, grace_ms - gone_ms));
  if (others_) others_->stop();
  if (supervisor_) supervisor_->stop();
}

}  // namespace

Result<std::unique_ptr<Gateway>> Gateway::start(GatewayOptions options) {
  auto gateway = std::make_unique<RunningGateway>(std::move(options));
  if (auto opened = gateway->open(); !opened) return tl::unexpected(opened.error());
  if (auto listening = gateway->listen(); !listening) return tl::unexpected(listening.error());
  return std::unique_ptr<Gateway>(std::move(gateway));
}

Result<ListenAddress> parse_listen(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const std::string wrong =
      "expected ADDRESS:PORT, found '" + std::string(text.substr(0, 80)) + "'";
  if (colon == std::string_view::npos) return fail(Code::kConfig, wrong);
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  else if (host.find(':') != std::string_view::npos) return fail(Code::kConfig, wrong);
  std::uint16_t port = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (host.empty() || parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size())
    return fail(Code::kConfig, wrong);
  return ListenAddress{host == "localhost" ? "127.0.0.1" : std::string(host), port};
}

bool is_loopback(const ListenAddress& address) {
  return address.host.starts_with("127.") || address.host == "::1";
}

Result<ListenAddress> allowed_listen(const config::ServerConfig& server) {
  auto address = parse_listen(server.listen);
  if (!address || is_loopback(*address) || server.allow_remote) return address;
  return fail(Code::kConfig, "listening on " + server.listen +
                                 " would let other machines in: set [server] allow_remote = true "
                                 "if that is meant");
}

}  // namespace tophand::server
