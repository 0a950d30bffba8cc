// What the server costs: a keep-alive echo (latency and rate) and the memory of idle streams.
// Client and server share one process and its cores, so the rates are a lower bound of the
// server's.
#include <benchmark/benchmark.h>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <future>
#include <latch>
#include <memory>
#include <string>
#include <vector>

#include "net/test_support.h"

namespace tophand::net {
namespace {

using namespace testing_support;

void echo(const Request& request, ResponseWriter& response) {
  static_cast<void>(response.send(200, "application/json", request.body));
}

// One request after another on one connection; p50 and p99 in microseconds.
void keep_alive_echo(benchmark::State& state) {
  static const auto server = std::move(*Server::start({.handler = echo}));
  const auto client = Client::create();
  const Endpoint to = endpoint_of(*server);
  const std::string body(static_cast<std::size_t>(state.range(0)), 'x');
  std::vector<double> micros;
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    const Answer answer = ask(*client, to, {.path = "/", .body = body});
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
    micros.push_back(took.count());
    if (answer.body.size() != body.size()) state.SkipWithError("a wrong answer");
  }
  std::sort(micros.begin(), micros.end());
  state.SetItemsProcessed(state.iterations());
  state.counters["p50_us"] =
      benchmark::Counter(micros[micros.size() / 2], benchmark::Counter::kAvgThreads);
  state.counters["p99_us"] =
      benchmark::Counter(micros[micros.size() * 99 / 100], benchmark::Counter::kAvgThreads);
}
BENCHMARK(keep_alive_echo)->Arg(100)->Arg(10'000)->UseRealTime();
BENCHMARK(keep_alive_echo)->Arg(100)->Threads(4)->UseRealTime();

std::size_t resident_bytes() {
  std::size_t total = 0, resident = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (file != nullptr && std::fscanf(file, "%zu %zu", &total, &resident) != 2) resident = 0;
  if (file != nullptr) std::fclose(file);
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

// Streams that have sent one event and wait: what each keeps resident in user space.
void idle_streams(benchmark::State& state) {
  const auto streams = static_cast<std::ptrdiff_t>(state.range(0));
  for (auto _ : state) {
    const std::size_t before = resident_bytes();
    CancelFlag release;
    auto server =
        std::move(*Server::start({.handler = [&](const Request&, ResponseWriter& response) {
          static_cast<void>(response.start_stream(200, "text/event-stream"));
          static_cast<void>(response.write("data: x\n\n"));
          static_cast<void>(wait_for(release.fd(), POLLIN, wait_ms(60'000, &response.client())));
          static_cast<void>(response.finish());
        }}));
    std::vector<std::unique_ptr<RawClient>> clients;
    const std::string body(4'000, 'x');
    for (std::ptrdiff_t i = 0; i < streams; ++i) {
      clients.push_back(std::make_unique<RawClient>(server->port()));
      clients.back()->send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4000\r\n\r\n" + body);
      clients.back()->read_until("data: x\n\n");
    }
    const std::size_t after = resident_bytes();
    state.counters["bytes_per_stream"] =
        static_cast<double>(after - before) / static_cast<double>(streams);
    release.cancel();
    clients.clear();
    server->stop(1000);
  }
}
BENCHMARK(idle_streams)->Arg(1000)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tophand::net
