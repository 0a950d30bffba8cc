// Whole-model speed: prefill of 512 tokens and decode after them, in tokens a second.
//
//   TOPHAND_BENCH_MODEL=model.gguf [TOPHAND_BENCH_THREADS=2] [TOPHAND_BENCH_KERNEL=avx2]
//   engine_bench
//
// bench/compare_llama_cpp.py runs this and llama.cpp in turns on the same tokens.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "engine/session.h"

namespace tophand::engine {
namespace {

constexpr std::int64_t kPromptTokens = 512;
constexpr std::int64_t kDecodeTokens = 32;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Loaded once: packing a model takes longer than a measurement.
const Model* model() {
  static const std::unique_ptr<Model> loaded = [] {
    LoadOptions options;
    options.path = environment("TOPHAND_BENCH_MODEL");
    options.threads = std::atoi(environment("TOPHAND_BENCH_THREADS").c_str());
    options.kernel = environment("TOPHAND_BENCH_KERNEL");
    options.context_tokens = 1024;
    auto result = Model::load(options, nullptr);
    if (!result) std::fprintf(stderr, "%s\n", result.error().message.c_str());
    return result ? std::move(*result) : nullptr;
  }();
  return loaded.get();
}

// The same tokens as in bench/compare_llama_cpp.py: spread over the vocabulary, no special ones.
std::vector<text::TokenId> prompt() {
  std::vector<text::TokenId> out;
  for (std::int64_t i = 0; i < kPromptTokens; ++i)
    out.push_back(static_cast<text::TokenId>(1000 + (i * 7919) % 40'000));
  return out;
}

void rate(benchmark::State& state, std::int64_t tokens) {
  state.counters["tokens_per_second"] = benchmark::Counter(
      static_cast<double>(state.iterations() * tokens), benchmark::Counter::kIsRate);
}

void prefill_512(benchmark::State& state) {
  if (model() == nullptr) return state.SkipWithError("set TOPHAND_BENCH_MODEL to a GGUF file");
  const auto session = Session::create(*model());
  const auto tokens = prompt();
  for (auto _ : state) {
    (*session)->truncate(0);
    if (!(*session)->forward(tokens, nullptr)) state.SkipWithError("forward failed");
  }
  rate(state, kPromptTokens);
}
BENCHMARK(prefill_512)->UseRealTime()->Unit(benchmark::kMillisecond);

void decode_after_512(benchmark::State& state) {
  if (model() == nullptr) return state.SkipWithError("set TOPHAND_BENCH_MODEL to a GGUF file");
  const auto session = Session::create(*model());
  const auto tokens = prompt();
  if (!(*session)->forward(tokens, nullptr)) return state.SkipWithError("forward failed");
  for (auto _ : state) {
    (*session)->truncate(kPromptTokens);
    for (std::int64_t i = 0; i < kDecodeTokens; ++i)
      if (!(*session)->forward(std::span(tokens).subspan(static_cast<std::size_t>(i), 1), nullptr))
        state.SkipWithError("forward failed");
  }
  rate(state, kDecodeTokens);
}
BENCHMARK(decode_after_512)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tophand::engine
