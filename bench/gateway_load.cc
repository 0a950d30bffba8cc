// Measures what a gateway adds to a request. Two programs in one:
//
//   gateway_load upstream
//       a model server that answers at once, in the Messages, Chat and Ollama dialects, whole or
//       (body has "stream":true) as a stream of as many pieces as max_tokens; prints its port
//   gateway_load run --rate N --seconds S --connections C --body FILE NAME=URL[ HEADER:VALUE]...
//       sends to all targets in turn, request by request, so that a slow moment of the machine
//       hurts all alike; prints a JSON object with microseconds
//   gateway_load idle --streams N --body FILE NAME=URL[ HEADER:VALUE]...
//       opens N streams at the (one) target and holds them until its input ends
//
// Latency is from the first byte sent to the last byte read. Requests start on a fixed schedule,
// whatever the answers do; how late they started is reported, so that an overloaded run shows.
#include <sys/prctl.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/json.h"
#include "net/client.h"
#include "net/http.h"

namespace tophand {
namespace {

using Clock = std::chrono::steady_clock;

// --- the upstream --------------------------------------------------------------------------------

constexpr std::string_view kText = "The status means that there were too many requests.";

std::string whole_answer(std::string_view path) {
  if (path == "/v1/messages")
    return R"({"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":")" +
           std::string(kText) +
           R"("}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":40,"output_tokens":10}})";
  if (path == "/api/chat")
    return R"({"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":")" +
           std::string(kText) +
           R"("},"done":true,"done_reason":"stop","prompt_eval_count":40,"eval_count":10})";
  return R"({"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":")" +
         std::string(kText) +
         R"("},"finish_reason":"stop"}],"usage":{"prompt_tokens":40,"completion_tokens":10,"total_tokens":50}})";
}

struct StreamShape {
  std::string_view type, first, piece, last;
};

StreamShape stream_shape(std::string_view path) {
  if (path == "/v1/messages")
    return {"text/event-stream",
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\","
            "\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"stop_"
            "reason\":"
            "null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":40,\"output_tokens\":1}}}\n\n"
            "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
            "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
            "event: content_block_delta\ndata: "
            "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{"
            "\"type\":\"text_delta\",\"text\":\" word\"}}\n\n",
            "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
            "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
            "\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":10}}\n\n"
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"};
  if (path == "/api/chat")
    return {"application/x-ndjson", "",
            "{\"model\":\"m\",\"created_at\":\"2026-01-01T00:00:00Z\",\"message\":{\"role\":"
            "\"assistant\",\"content\":\" word\"},\"done\":false}\n",
            "{\"model\":\"m\",\"created_at\":\"2026-01-01T00:00:00Z\",\"message\":{\"role\":"
            "\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\","
            "\"prompt_eval_count\":40,\"eval_count\":10}\n"};
  return {
      "text/event-stream",
      "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\","
      "\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},"
      "\"finish_reason\":null}]}\n\n",
      "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\","
      "\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"},\"finish_reason\":null}]}\n\n",
      "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\","
      "\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
      "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\","
      "\"choices\":[],\"usage\":{\"prompt_tokens\":40,\"completion_tokens\":10,"
      "\"total_tokens\":50}}\n\ndata: [DONE]\n\n"};
}

// A prompt with this word begins a stream that says one thing and waits for the client to go.
constexpr std::string_view kIdleWord = "IDLE-STREAM";

void send_stream(const net::Request& request, const Json& body, net::ResponseWriter& writer) {
  const StreamShape shape = stream_shape(request.path);
  if (!writer.start_stream(200, shape.type)) return;
  static_cast<void>(writer.write(std::string(shape.first) + std::string(shape.piece)));
  if (request.body.find(kIdleWord) != std::string::npos) {
    while (!writer.client().cancelled())
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    return writer.abort();
  }
  std::int64_t pieces = int_or(body, "max_tokens", 0);
  if (const Json* options = find_key(body, "options"))
    pieces = int_or(*options, "num_predict", pieces);
  for (std::int64_t i = 1; i < pieces; ++i)
    if (!writer.write(shape.piece)) return;
  static_cast<void>(writer.write(shape.last));
  static_cast<void>(writer.finish());
}

void answer(const net::Request& request, net::ResponseWriter& writer) {
  constexpr std::string_view kJson = "application/json";
  if (request.method == "GET") {
    const bool tags = request.path == "/api/tags";
    static_cast<void>(writer.send(
        200, kJson,
        tags
            ? R"({"models":[{"name":"m:latest","model":"m:latest"}]})"
            : R"({"object":"list","data":[{"id":"m","object":"model","created":1,"owned_by":"x"}]})"));
    return;
  }
  const auto body = parse_json(request.body);
  const Json* stream = body ? find_key(*body, "stream") : nullptr;
  const bool streamed = stream != nullptr ? *stream == true : request.path == "/api/chat";
  if (body && streamed) return send_stream(request, *body, writer);
  static_cast<void>(writer.send(200, kJson, whole_answer(request.path)));
}

int run_upstream() {
  net::ServerOptions options;
  options.limits.connections_max = 4096;
  options.handler = answer;
  auto server = net::Server::start(std::move(options));
  if (!server) {
    std::cerr << server.error().message << '\n';
    return 1;
  }
  std::cout << (*server)->port() << std::endl;
  std::string line;
  while (std::getline(std::cin, line)) {
  }
  return 0;
}

// --- the load ------------------------------------------------------------------------------------

struct Target {
  std::string name;
  net::Endpoint endpoint;
  std::string path;
  net::Headers headers;
};

struct Plan {
  double rate = 1000, seconds = 5;
  std::size_t connections = 8, streams = 1000;
  std::string body;
  std::vector<Target> targets;
};

struct Sample {
  std::size_t target;
  double micros, late_micros;
  std::size_t bytes;
  bool good;
};

// "NAME=http://host:port/path HEADER:VALUE HEADER:VALUE"
bool read_target(std::string_view text, Target& out) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) return false;
  out.name = text.substr(0, equals);
  text.remove_prefix(equals + 1);
  std::string_view url = text.substr(0, text.find(' '));
  const std::size_t slash = url.find('/', url.find("://") + 3);
  if (slash == std::string_view::npos) return false;
  auto endpoint = net::parse_endpoint(url.substr(0, slash));
  if (!endpoint) return false;
  out.endpoint = *endpoint;
  out.path = url.substr(slash);
  out.headers.add("content-type", "application/json");
  while (text.find(' ') != std::string_view::npos) {
    text.remove_prefix(text.find(' ') + 1);
    const std::string_view field = text.substr(0, text.find(' '));
    const std::size_t colon = field.find(':');
    if (colon == std::string_view::npos) return false;
    std::string value(field.substr(colon + 1));
    while (value.find("%20") != std::string::npos) value.replace(value.find("%20"), 3, " ");
    out.headers.add(std::string(field.substr(0, colon)), value);
  }
  return true;
}

Sample send_one(net::Client& client, const Plan& plan, std::size_t index) {
  const Target& target = plan.targets[index];
  net::ClientRequest request;
  request.path = target.path;
  request.headers = target.headers;
  request.body = plan.body;
  const auto begun = Clock::now();
  auto response = client.send(target.endpoint, request, nullptr);
  std::size_t bytes = 0;
  bool good = response && (*response)->status() == 200;
  while (good) {
    auto piece = (*response)->read(nullptr);
    good = piece.has_value();
    if (!piece || piece->empty()) break;
    bytes += piece->size();
  }
  const std::chrono::duration<double, std::micro> took = Clock::now() - begun;
  return {index, took.count(), 0, bytes, good};
}

double percentile(std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  return sorted[std::min(sorted.size() - 1,
                         static_cast<std::size_t>(static_cast<double>(sorted.size()) * share))];
}

Json summary(const Plan& plan, const std::vector<Sample>& samples) {
  Json out = Json::object();
  for (std::size_t i = 0; i < plan.targets.size(); ++i) {
    std::vector<double> micros, late;
    std::size_t failed = 0, bytes = 0;
    for (const Sample& sample : samples) {
      if (sample.target != i) continue;
      if (!sample.good) {
        ++failed;
        continue;
      }
      micros.push_back(sample.micros);
      late.push_back(sample.late_micros);
      bytes = sample.bytes;
    }
    std::sort(micros.begin(), micros.end());
    std::sort(late.begin(), late.end());
    out[plan.targets[i].name] = {{"requests", micros.size()},
                                 {"failed", failed},
                                 {"bytes", bytes},
                                 {"p50_us", percentile(micros, 0.5)},
                                 {"p90_us", percentile(micros, 0.9)},
                                 {"p99_us", percentile(micros, 0.99)},
                                 {"max_us", percentile(micros, 1)},
                                 {"late_p99_us", percentile(late, 0.99)}};
  }
  return out;
}

int run_load(const Plan& plan) {
  std::mutex mutex;
  std::vector<Sample> samples;
  std::vector<std::thread> threads;
  const double gap_s = 1 / plan.rate;
  const auto total = static_cast<std::size_t>(plan.rate * plan.seconds);
  const auto start = Clock::now() + std::chrono::milliseconds(100);
  for (std::size_t c = 0; c < plan.connections; ++c)
    threads.emplace_back([&, c] {
      prctl(PR_SET_TIMERSLACK, 1000);  // ns; the default is 50 us
      const auto client = net::Client::create();
      std::vector<Sample> own;
      for (std::size_t i = 0; i < plan.targets.size(); ++i) send_one(*client, plan, i);  // warm
      for (std::size_t k = c; k < total; k += plan.connections) {
        const std::chrono::duration<double> offset(gap_s * static_cast<double>(k));
        const auto due = start + std::chrono::duration_cast<Clock::duration>(offset);
        std::this_thread::sleep_until(due);
        const std::chrono::duration<double, std::micro> late = Clock::now() - due;
        // Each connection takes the targets in turn, too.
        Sample sample = send_one(*client, plan, (k / plan.connections + c) % plan.targets.size());
        sample.late_micros = late.count();
        own.push_back(sample);
      }
      const std::lock_guard lock(mutex);
      samples.insert(samples.end(), own.begin(), own.end());
    });
  for (std::thread& thread : threads) thread.join();
  std::cout << summary(plan, samples).dump(2) << '\n';
  return 0;
}

int run_idle(const Plan& plan) {
  const auto client = net::Client::create();
  std::vector<std::unique_ptr<net::ClientResponse>> open;
  const Target& target = plan.targets.front();
  for (std::size_t i = 0; i < plan.streams; ++i) {
    net::ClientRequest request;
    request.path = target.path;
    request.headers = target.headers;
    request.body = plan.body;
    auto response = client->send(target.endpoint, request, nullptr);
    if (!response || (*response)->status() != 200 || !(*response)->read(nullptr)) break;
    open.push_back(std::move(*response));
  }
  std::cout << open.size() << std::endl;
  std::string line;
  while (std::getline(std::cin, line)) {
  }
  return open.size() == plan.streams ? 0 : 1;
}

int usage() {
  std::cerr
      << "usage: gateway_load upstream\n"
         "       gateway_load run --rate N --seconds S --connections C --body FILE TARGET...\n"
         "       gateway_load idle --streams N --body FILE TARGET\n"
         "TARGET: NAME=http://host:port/path[ HEADER:VALUE]..., a space in a VALUE as %20\n";
  return 2;
}

int main(const std::vector<std::string>& words) {
  if (words.empty()) return usage();
  if (words[0] == "upstream") return run_upstream();
  Plan plan;
  std::map<std::string, std::string> flags;
  for (std::size_t i = 1; i < words.size(); ++i) {
    Target target;
    if (words[i].starts_with("--") && i + 1 < words.size()) {
      flags[words[i]] = words[i + 1];
      ++i;
    } else if (read_target(words[i], target)) {
      plan.targets.push_back(std::move(target));
    } else {
      return usage();
    }
  }
  const auto number = [&](const char* name, double otherwise) {
    return flags.contains(name) ? std::atof(flags[name].c_str()) : otherwise;
  };
  plan.rate = std::max(1.0, number("--rate", plan.rate));
  plan.seconds = number("--seconds", plan.seconds);
  plan.connections = static_cast<std::size_t>(std::max(1.0, number("--connections", 8)));
  plan.streams = static_cast<std::size_t>(number("--streams", 1000));
  std::ifstream file(flags["--body"]);
  plan.body.assign(std::istreambuf_iterator<char>(file), {});
  if (plan.targets.empty() || plan.body.empty()) return usage();
  return words[0] == "run" ? run_load(plan) : words[0] == "idle" ? run_idle(plan) : usage();
}

}  // namespace
}  // namespace tophand

int main(int argc, char** argv) {
  return tophand::main({argv + 1, argv + argc});
}
