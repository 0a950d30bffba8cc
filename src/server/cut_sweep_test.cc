// Streams from every kind of upstream, cut at every byte, for every dialect a client may speak:
// what the client gets is a beginning of the answer without repetition, and it ends in its
// dialect's own error form, never in a good end that nobody upstream has said. (Fault test T4:
// faults after the first byte.) The control is a gateway that begins the answer anew on another
// backend.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>

#include "backend/adapter.h"
#include "backend/claude_backend.h"
#include "backend/engine_backend.h"
#include "base/json.h"
#include "dispatch/dispatch.h"
#include "server/client_sink.h"
#include "server/cut_sweep_support.h"
#include "server/fake_backend_for_tests.h"

namespace tophand::server {
namespace {

using namespace cut_sweep;
using policy::Place;
using policy::Target;

constexpr const char* kPrices = R"({"date":"2026-01-01","models":[{"id":"claude-x","input":"4",
  "output":"20","cache_write_5m":"5","cache_write_1h":"8","cache_read":"0.40"}]})";
constexpr std::string_view kSecond = "SECOND";  // what the other backend answers
constexpr chat::Dialect kDialects[] = {chat::Dialect::kAnthropicMessages,
                                       chat::Dialect::kOpenAiChat, chat::Dialect::kOpenAiResponses,
                                       chat::Dialect::kOllamaChat, chat::Dialect::kOllamaGenerate};
constexpr std::string_view kServers[] = {"ollama", "llama-server", "vllm", "openai"};

// Of the first cut of each stream, and of how many bytes come at once. TOPHAND_SEED repeats a run.
unsigned seed() {
  const char* given = std::getenv("TOPHAND_SEED");
  return given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10))
                          : std::random_device()();
}

class SecondBackend final : public backend::Backend {
 public:
  backend::Report answer(const backend::Call&, backend::Sink& sink,
                         const net::Cancellation&) override {
    return play(sink,
                {chat::Started{{.input_tokens = 11}, "m"}, chat::TextDelta{std::string(kSecond)},
                 chat::Finished{chat::StopReason::kEndTurn, "", {.output_tokens = 2}, {}}});
  }
  Result<std::int64_t> count(const backend::Call&, const net::Cancellation&) override { return 1; }
};

enum class Gateway : std::uint8_t { kOurs, kRestarts };

struct Case {
  const Recording& recording;
  chat::Dialect dialect;
  std::size_t cut, piece;
  Fault fault;
  bool second_allowed;
  Gateway gateway = Gateway::kOurs;
};

struct Rig {
  Rig() {
    prices = *ledger::PriceBook::parse(kPrices, "test");
    claude = *backend::ClaudeBackend::create(
        {.base_url = "http://127.0.0.1:1", .keys = {{.name = "a", .secret = "k"}}},
        std::make_unique<BrokenNetwork>(plan));
    engine =
        std::make_unique<backend::EngineBackend>(workers, std::make_unique<BrokenNetwork>(plan));
    for (const std::string_view kind : kServers) {
      config::BackendConfig config;
      config.name = config.kind = kind;
      config.url = "http://127.0.0.1:1";
      servers.emplace(kind, *backend::make_adapter(config, std::make_unique<BrokenNetwork>(plan)));
    }
  }
  backend::Backend* backend_for(const Target& target) {
    if (target.backend == "second") return &second;
    if (const auto server = servers.find(target.backend); server != servers.end())
      return server->second.get();
    return target.place == Place::kClaude ? static_cast<backend::Backend*>(claude.get())
                                          : engine.get();
  }

  Plan plan;
  FakeClock clock;
  ledger::PriceBook prices;
  NoWorkers workers;
  std::unique_ptr<backend::ClaudeBackend> claude;
  std::unique_ptr<backend::EngineBackend> engine;
  std::map<std::string, std::unique_ptr<backend::Adapter>, std::less<>> servers;
  SecondBackend second;
};

// An error inside a stream, behind whatever half an event was there.
std::string error_event(std::string_view upstream) {
  if (upstream == "claude")
    return "\n\n" + sse("error", R"(,"error":{"type":"overloaded_error","message":"x"})");
  if (upstream == "worker") return "\n{\"failed\":{\"code\":\"unavailable\",\"message\":\"x\"}}\n";
  if (upstream == "ollama") return "\n{\"error\":\"x\"}\n";
  return "\n\ndata: {\"error\":{\"code\":500,\"message\":\"x\",\"type\":\"server_error\"}}\n\n";
}

Plan plan_for(const Case& test) {
  const std::string_view upstream = test.recording.upstream;
  const bool lines = upstream == "worker" || upstream == "ollama";
  Plan plan{.type = lines ? "application/x-ndjson" : "text/event-stream",
            .bytes = test.recording.bytes.substr(0, test.cut),
            .fault = test.fault,
            .piece = test.piece};
  if (test.fault == Fault::kErrorEvent) plan.bytes += error_event(upstream);
  return plan;
}

Target target_of(const Recording& recording) {
  if (recording.upstream == "claude") return {Place::kClaude, "claude-x"};
  if (recording.upstream == "worker") return {Place::kLocal, "m"};
  return {Place::kLocal, "m", std::string(recording.upstream)};
}

// The way of litellm and others: what broke is asked again elsewhere, into the same stream.
void answer_by_restarting(Rig& rig, const dispatch::Job& job, ClientSink& sink) {
  dispatch::Outcome outcome;
  const net::CancelFlag never;
  for (const Target& target : job.decision.targets) {
    const backend::Call call{.request = job.request, .model = "claude-x", .as_events = true};
    sink.trying({.target = target, .reasons = job.decision.reasons});
    outcome.report = rig.backend_for(target)->answer(call, sink, never);
    outcome.target = target;
    if (outcome.report.end == backend::End::kFinished) break;
  }
  sink.finish(outcome);
}

bool begins(std::string_view whole, std::string_view part) {
  return whole.starts_with(part);
}

std::string wrong_content(const Case& test, const Received& got) {
  const Recording& whole = test.recording;
  if (!begins(whole.text, got.text)) return "text repeated, reordered or mixed: " + got.text;
  if (got.tool_ids.size() > whole.inputs.size()) return "a tool call too many";
  for (std::size_t i = 0; i < got.inputs.size(); ++i) {
    if (std::ranges::count(got.tool_ids, got.tool_ids[i]) != 1) return "one tool call twice";
    const auto input = parse_json(got.inputs[i]);
    const bool same = input && dump_json(*input) == dump_json(*parse_json(whole.inputs[i]));
    if (!same && !begins(whole.inputs[i], got.inputs[i])) return "arguments: " + got.inputs[i];
  }
  return "";
}

// "" when the client got what it should have.
std::string fault_in(const Case& test, const MemoryWriter& client) {
  if (client.status != 200)
    return client.status >= 400 && !test.second_allowed ? "" : "an error with a backend left";
  const Received got = read_stream(test.dialect, client.bytes);
  if (!got.broken.empty()) return got.broken;
  if (got.starts > 1) return "two beginnings";
  if (got.stopped == got.error) return "neither a good end nor an error, or both";
  if (got.text == kSecond && test.second_allowed) return got.stopped ? "" : "the second broke";
  if (auto wrong = wrong_content(test, got); !wrong.empty()) return wrong;
  if (!got.stopped) return "";
  const bool all =
      got.text == test.recording.text && got.inputs.size() == test.recording.inputs.size();
  return all ? "" : "a good end of half an answer";
}

std::string run_case(Rig& rig, const Case& test) {
  rig.plan = plan_for(test);
  CountingLedger ledger;
  chat::Request request;
  request.model = "auto";
  request.stream = true;
  request.messages.push_back({chat::Role::kUser, {chat::TextBlock{"hi"}}});
  for (const char* tool : {"read", "now"}) request.tools.push_back({tool, "", "{}"});
  const std::string raw = R"({"model":"claude-x","max_tokens":9,"messages":[]})";
  dispatch::Job job;
  job.request_id = "req_1";
  job.request = job.local_request = &request;
  if (test.dialect == chat::Dialect::kAnthropicMessages) job.raw_body = raw;
  job.decision.targets = {target_of(test.recording)};
  if (test.second_allowed) job.decision.targets.push_back({Place::kLocal, "m", "second"});

  const net::Request http;
  MemoryWriter client;
  Exchange exchange{http, client, "req_1", "key", test.dialect};
  AnswerShape shape;
  shape.context = {.id = "id", .model = "auto"};
  shape.stream = true;
  ClientSink sink(exchange, std::move(shape), rig.clock);
  if (test.gateway == Gateway::kRestarts) {
    answer_by_restarting(rig, job, sink);
    return fault_in(test, client);
  }
  const dispatch::Dispatcher dispatcher(
      {.ledger = &ledger,
       .prices = &rig.prices,
       .clock = &rig.clock,
       .backend_for = [&](const Target& target) { return rig.backend_for(target); },
       .estimate_tokens =
           [](std::string_view text) { return static_cast<std::int64_t>(text.size()); },
       .counterfactual_model = "claude-x"});
  const net::CancelFlag never;
  const dispatch::Outcome outcome = dispatcher.run(job, sink, never);
  sink.finish(outcome);
  if (static_cast<std::int64_t>(ledger.ended.size()) != outcome.attempts) return "rows != attempts";
  for (const int times : ledger.ended)
    if (times != 1) return "a row that ended " + std::to_string(times) + " times";
  return fault_in(test, client);
}

// How a connection breaks without a word makes little difference: two ways of it are a sample.
std::size_t sparser(Fault fault) {
  return fault == Fault::kReset || fault == Fault::kStall ? 5 : 1;
}

struct Sweep {
  unsigned seed = 0;
  int cases = 0, faults = 0;
  std::string first = {};  // fault, with its case
};

Sweep sweep(const std::vector<Recording>& all, Gateway gateway, std::size_t step) {
  Sweep result{.seed = seed()};
  Rig rig;
  std::mt19937 random(result.seed);
  for (const Recording& recording : all)
    for (const chat::Dialect dialect : kDialects)
      for (const Fault fault : {Fault::kEnd, Fault::kReset, Fault::kStall, Fault::kErrorEvent})
        for (const bool second : {false, true})
          for (std::size_t stride = step * sparser(fault), cut = random() % stride;
               cut <= recording.bytes.size(); cut += stride) {
            const bool whole = cut == recording.bytes.size();
            if (fault == Fault::kErrorEvent && whole) continue;
            // Thoughts and tools do not exist in generate.
            if (dialect == chat::Dialect::kOllamaGenerate && !recording.inputs.empty()) continue;
            ++result.cases;
            const std::size_t piece = 1 + random() % 64;
            const std::string wrong =
                run_case(rig, {recording, dialect, cut, piece, fault, second, gateway});
            if (wrong.empty()) continue;
            if (++result.faults == 1)
              result.first = std::string(recording.name) + ", dialect " +
                             std::to_string(static_cast<int>(dialect)) + ", cut at " +
                             std::to_string(cut) + ", fault " +
                             std::to_string(static_cast<int>(fault)) +
                             (second ? ", two backends: " : ", one backend: ") + wrong;
          }
  return result;
}

struct Streams {
  const char* name;
  std::vector<Recording> (*recordings)();
  std::size_t step;  // TOPHAND_SWEEP_ALL=1: every byte of all of them
};
class CutSweep : public testing::TestWithParam<Streams> {};
INSTANTIATE_TEST_SUITE_P(Of, CutSweep,
                         testing::Values(Streams{"ClaudeAndWorker", recordings, 1},
                                         Streams{"Servers", server_recordings, 7}),
                         [](const auto& test) { return test.param.name; });

TEST_P(CutSweep, NoCutRepeatsLosesOrForgesAnything) {
  const bool all = std::getenv("TOPHAND_SWEEP_ALL") != nullptr;
  const Sweep result = sweep(GetParam().recordings(), Gateway::kOurs, all ? 1 : GetParam().step);
  std::printf("%d cuts, seed %u\n", result.cases, result.seed);
  EXPECT_EQ(result.faults, 0) << result.first;
  EXPECT_GT(result.cases, 10'000);
}

TEST_P(CutSweep, ControlAGatewayThatBeginsAnewIsCaught) {
  const Sweep result = sweep(GetParam().recordings(), Gateway::kRestarts, 11);
  std::printf("%d of %d cuts caught, seed %u, the first: %s\n", result.faults, result.cases,
              result.seed, result.first.c_str());
  EXPECT_GT(result.faults, result.cases / 10);
}

}  // namespace
}  // namespace tophand::server
