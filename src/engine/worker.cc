#include "engine/worker.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/json.h"
#include "base/log.h"
#include "chat/embedding.h"
#include "chat/upstream.h"
#include "engine/embedder.h"
#include "engine/generator.h"
#include "engine/worker_queue.h"
#include "kernels/matmul.h"
#include "net/http.h"

namespace tophand::engine {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kNdjson = "application/x-ndjson";
constexpr int kStopGraceMs = 2'000;  // for answers under way to send their last event

std::string error_body(const Error& error) {
  Json body;
  body["error"] = {{"code", info(error.code).name}, {"message", error.message}};
  return dump_json(body);
}

void send_error(net::ResponseWriter& out, const Error& error) {
  // A client that has gone cannot be told so.
  (void)out.send(info(error.code).http_status, kJson, error_body(error));
}

void send_json(net::ResponseWriter& out, int status, const Json& body) {
  (void)out.send(status, kJson, dump_json(body));
}

std::string_view reason_name(chat::StopReason reason) {
  switch (reason) {
    case chat::StopReason::kEndTurn:
      return "end_turn";
    case chat::StopReason::kMaxTokens:
      return "max_tokens";
    case chat::StopReason::kStopSequence:
      return "stop_sequence";
    case chat::StopReason::kToolUse:
      return "tool_use";
    case chat::StopReason::kContextFull:
      return "context_full";
    default:
      return "other";
  }
}

void log_finished(const chat::Finished& finished) {
  constexpr std::int64_t kMs = 1'000'000;
  log::info("engine.answered", {{"reason", reason_name(finished.reason)},
                                {"input_tokens", finished.usage.total_input()},
                                {"cached_tokens", finished.usage.cache_read_tokens},
                                {"output_tokens", finished.usage.output_tokens},
                                {"prefill_ms", finished.timing.prefill_ns / kMs},
                                {"decode_ms", finished.timing.decode_ns / kMs}});
}

Json info_json(const ModelInfo& info) {
  Json out;
  out["architecture"] = info.architecture;
  out["name"] = info.name;
  out["parameters"] = info.parameters;
  out["quantization"] = info.quantization;
  out["context_tokens"] = info.context_tokens;
  out["context_trained"] = info.context_trained;
  out["vocabulary"] = info.vocabulary;
  out["embedding_length"] = info.width;
  out["template"] = info.chat_template;
  out["file_bytes"] = info.file_bytes;
  out["resident_bytes"] = info.resident_bytes;
  out["threads"] = info.threads;
  out["kernel"] = info.kernel;
  return out;
}

class HttpWorker final : public Worker {
 public:
  HttpWorker(const WorkerOptions& options, EngineLoader loader, const Clock& clock)
      : options_(options), loader_(std::move(loader)), clock_(clock), queue_(options.queue_max) {}

  ~HttpWorker() override {
    stop_soon();
    if (server_) server_->stop(kStopGraceMs);
    if (load_thread_.joinable()) load_thread_.join();
  }

  Result<> start() {
    net::ServerOptions options;
    options.address = options_.address;
    options.limits.body_bytes_max = std::size_t{64} << 20;
    // The queue is what bounds the work; connections beyond it are health checks.
    options.limits.connections_max = options_.queue_max + 64;
    // A connection's thread is one of those that compute. What it does not touch costs nothing.
    options.stack_bytes += kernels::kMatmulStackBytes;
    options.handler = [this](const net::Request& in, net::ResponseWriter& out) { route(in, out); };
    options.error_formatter = [](const Error& error, std::string_view) {
      return net::ErrorReply{std::string(kJson), error_body(error)};
    };
    TOPHAND_TRY(server, "worker", net::Server::start(std::move(options)));
    server_ = std::move(server);
    load_thread_ = std::thread([this] { load(); });
    return {};
  }

  Result<> wait() override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopping_ || failure_; });
    if (failure_ && !stopping_)
      changed_.wait_for(lock, std::chrono::milliseconds(options_.health_failed_ms),
                        [this] { return failure_told_ || stopping_; });
    const std::optional<Error> failure = failure_;
    stopping_ = true;
    lock.unlock();
    server_->stop(kStopGraceMs);
    if (failure) return tl::unexpected(*failure);
    return {};
  }

  void stop_soon() override {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }

  bool loading() const override {
    const std::lock_guard lock(mutex_);
    return !generator_ && !failure_;
  }

 private:
  void load();
  void route(const net::Request& in, net::ResponseWriter& out);
  void health(net::ResponseWriter& out);
  void generate(const net::Request& in, net::ResponseWriter& out);
  void count(const net::Request& in, net::ResponseWriter& out);
  void embed(const net::Request& in, net::ResponseWriter& out);
  // The generator once the model is loaded; why not, otherwise. It lives as long as the worker.
  Result<Generator*> ready() const;

  const WorkerOptions options_;
  const EngineLoader loader_;
  const Clock& clock_;
  WorkerQueue queue_;

  mutable std::mutex mutex_;  // everything below it down to server_
  std::condition_variable changed_;
  LoadedEngine engine_;
  std::unique_ptr<Generator> generator_;  // set once
  std::optional<Embedder> embedder_;      // set with it
  std::optional<Error> failure_;
  double progress_ = 0;
  bool failure_told_ = false;
  std::atomic<bool> stopping_{false};  // written under mutex_, read by running answers without it

  std::unique_ptr<net::Server> server_;
  std::thread load_thread_;
};

void HttpWorker::load() {
  const std::int64_t start_ns = clock_.mono_ns();
  auto loaded = loader_([this](double progress) {
    const std::lock_guard lock(mutex_);
    progress_ = progress;
  });
  const std::lock_guard lock(mutex_);
  if (!loaded) {
    failure_ = std::move(loaded).error();
    log::error("engine.load_failed", {{"code", info(failure_->code).name}});
  } else {
    engine_ = std::move(*loaded);
    const ModelInfo& model = engine_.model->info();
    generator_ = std::make_unique<Generator>(
        Generator::Parts{*engine_.session, engine_.model->tokenizer(),
                         engine_.model->chat_template(), model.name, clock_});
    embedder_.emplace(Embedder::Parts{*engine_.session, engine_.model->tokenizer(), model.pooling});
    log::info("engine.loaded", {{"architecture", model.architecture},
                                {"quantization", model.quantization},
                                {"kernel", model.kernel},
                                {"threads", model.threads},
                                {"context_tokens", model.context_tokens},
                                {"resident_bytes", model.resident_bytes},
                                {"load_ms", (clock_.mono_ns() - start_ns) / 1'000'000}});
  }
  changed_.notify_all();
}

Result<Generator*> HttpWorker::ready() const {
  const std::lock_guard lock(mutex_);
  if (failure_) return tl::unexpected(*failure_);
  if (stopping_) return fail(Code::kUnavailable, "the engine worker is stopping");
  if (!generator_) return fail(Code::kUnavailable, "the model is still loading");
  return generator_.get();
}

void HttpWorker::route(const net::Request& in, net::ResponseWriter& out) {
  if (in.method == "GET" && in.path == "/health") return health(out);
  if (in.method == "POST" && in.path == "/generate") return generate(in, out);
  if (in.method == "POST" && in.path == "/count") return count(in, out);
  if (in.method == "POST" && in.path == "/embed") return embed(in, out);
  if (in.method == "GET" && in.path == "/info") {
    if (auto generator = ready(); !generator) return send_error(out, generator.error());
    return send_json(out, 200, info_json(engine_.model->info()));
  }
  if (in.method == "POST" && in.path == "/unload") {
    (void)out.send(200, kJson, "{}");
    return stop_soon();
  }
  send_error(out, {Code::kNotFound,
                   "no such route; there are GET /health, GET /info, POST "
                   "/generate, POST /count, POST /embed and POST /unload"});
}

void HttpWorker::health(net::ResponseWriter& out) {
  Json body;
  int status = 503;
  std::unique_lock lock(mutex_);
  if (failure_) {
    body["status"] = "failed";
    body["error"] = {{"code", info(failure_->code).name}, {"message", failure_->message}};
  } else if (!generator_) {
    body["status"] = "loading";
    body["progress"] = progress_;
  } else {
    status = 200;
    body["status"] = stopping_ ? "stopping" : "ok";
  }
  const bool failed = failure_.has_value();
  lock.unlock();
  if (status == 200) {
    const WorkerQueue::Load load = queue_.load();
    body["busy"] = load.busy;
    body["queued"] = load.queued;
  }
  send_json(out, status, body);
  if (!failed) return;
  lock.lock();
  failure_told_ = true;
  changed_.notify_all();
}

void HttpWorker::generate(const net::Request& in, net::ResponseWriter& out) {
  auto generator = ready();
  if (!generator) return send_error(out, generator.error());
  const ModelInfo& model = engine_.model->info();
  if (model.embeds_only)
    return send_error(out, {Code::kInvalid, model.name + " makes embeddings, its file says, not "
                                                         "answers: ask another model, or "
                                                         "/v1/embeddings"});
  auto request = chat::read_engine_request(in.body);
  if (!request) return send_error(out, request.error());
  const auto cancelled = [&] { return stopping_ || out.client().cancelled(); };
  auto turn = queue_.enter(cancelled);
  if (!turn) return send_error(out, turn.error());

  const auto sink = [&](chat::StreamEvent event) {
    if (auto* failed = std::get_if<chat::Failed>(&event); failed && stopping_)
      failed->error = {Code::kUnavailable, "the engine worker is stopping"};
    if (const auto* finished = std::get_if<chat::Finished>(&event)) log_finished(*finished);
    if (!out.started() && !out.start_stream(200, kNdjson)) return false;
    return out.write(chat::write_engine_event(event)).has_value();
  };
  auto done = (*generator)->generate(*request, cancelled, sink);
  if (!done) return send_error(out, done.error());
  if (out.started()) (void)out.finish();
}

void HttpWorker::count(const net::Request& in, net::ResponseWriter& out) {
  auto generator = ready();
  if (!generator) return send_error(out, generator.error());
  auto request = chat::read_engine_request(in.body);
  if (!request) return send_error(out, request.error());
  const auto tokens = (*generator)->prompt(*request);
  if (!tokens) return send_error(out, tokens.error());
  Json body;
  body["input_tokens"] = tokens->size();
  send_json(out, 200, body);
}

// One line a text, in their order. Texts are run one after the other.
void HttpWorker::embed(const net::Request& in, net::ResponseWriter& out) {
  auto generator = ready();
  if (!generator) return send_error(out, generator.error());
  auto request = chat::read_engine_embedding_request(in.body);
  if (!request) return send_error(out, request.error());
  const auto cancelled = [&] { return stopping_ || out.client().cancelled(); };
  auto turn = queue_.enter(cancelled);
  if (!turn) return send_error(out, turn.error());

  (*generator)->forget();
  const std::int64_t start_ns = clock_.mono_ns();
  const auto put = [&](const chat::EmbeddingEvent& event) {
    if (!out.started() && !out.start_stream(200, kNdjson)) return false;
    return out.write(chat::write_engine_embedding_event(event)).has_value();
  };
  std::int64_t tokens = 0;
  for (const std::string& text : request->inputs) {
    auto made = embedder_->embed(text, request->excess, cancelled);
    if (!made && stopping_) made = fail(Code::kUnavailable, "the engine worker is stopping");
    if (!made && !out.started()) return send_error(out, made.error());
    if (!made) {
      if (put(chat::EmbeddingsFailed{made.error()})) (void)out.finish();
      return;
    }
    tokens += made->input_tokens;
    if (!put(std::move(*made))) return;  // the client has gone
  }
  const std::int64_t total_ns = clock_.mono_ns() - start_ns;
  log::info(
      "engine.embedded",
      {{"texts", request->inputs.size()}, {"input_tokens", tokens}, {"ms", total_ns / 1'000'000}});
  if (put(chat::EmbeddingsFinished{{.total_ns = total_ns}})) (void)out.finish();
}

}  // namespace

EngineLoader engine_loader(LoadOptions options) {
  return [options = std::move(options)](
             const std::function<void(double)>& progress) -> Result<LoadedEngine> {
    auto model = Model::load(options, progress);
    if (!model) return tl::unexpected(std::move(model).error());
    auto session = Session::create(**model);
    if (!session) return tl::unexpected(std::move(session).error());
    return LoadedEngine{std::move(*model), std::move(*session)};
  };
}

Result<std::unique_ptr<Worker>> Worker::start(const WorkerOptions& options, EngineLoader loader,
                                              const Clock& clock) {
  auto worker = std::make_unique<HttpWorker>(options, std::move(loader), clock);
  TOPHAND_CHECK("engine", worker->start());
  return std::unique_ptr<Worker>(std::move(worker));
}

}  // namespace tophand::engine
