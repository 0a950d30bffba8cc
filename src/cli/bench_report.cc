#include "cli/bench_report.h"

#include <fmt/format.h>

#include "base/json.h"
#include "cli/progress.h"

namespace tophand::cli {
namespace {

using engine::Benchmark;
using engine::Bound;
using engine::MemoryNeed;
using engine::Spread;

std::string bytes(std::int64_t n) {
  return format_bytes(static_cast<std::uint64_t>(n < 0 ? 0 : n));
}

std::string rates(const Spread& rate) {
  return fmt::format("{:8.2f} tok/s ({:.2f} to {:.2f})", rate.median, rate.min, rate.max);
}

std::string reached(const Bound& bound, const std::string& cost) {
  if (bound.limit <= 0) return "limit unknown";
  return fmt::format("{:.0f}% of {:.1f} ({})", 100 * bound.share, bound.limit, cost);
}

std::string line(std::string_view name, const std::string& text) {
  return fmt::format("  {:<12}{}\n", name, text);
}

std::string machine_text(const engine::MachineLimits& limits) {
  std::string out =
      fmt::format("memory {:.1f} GB/s ({} {} a thread)", limits.memory_bytes_per_second / 1e9,
                  limits.memory_streams, limits.memory_streams == 1 ? "stream" : "streams");
  for (const engine::CacheRate& cache : limits.caches)
    out += fmt::format(", L{} {:.0f} GB/s", cache.level, cache.bytes_per_second / 1e9);
  for (const engine::MultiplyAddRate& rate : limits.multiply_adds)
    out += fmt::format(", {} {:.0f} GMAC/s", rate.instructions, rate.per_second / 1e9);
  return out;
}

std::string run_text(const BenchHeading& heading, const Benchmark& run) {
  const MemoryNeed& need = run.model.memory;
  const std::int64_t used = run.at_end.anonymous + run.at_end.file;
  const std::int64_t before = run.before_load.anonymous + run.before_load.file;
  std::string out =
      fmt::format("\n{} {}\n", run.model.threads, run.model.threads == 1 ? "thread" : "threads");
  out += line("machine", machine_text(run.limits));
  out += line("load", fmt::format("{:8.2f} s, first token after {:.2f} s", run.load_seconds,
                                  run.load_to_first_token_seconds));
  out += line("prefill", rates(run.prefill_tokens_per_second) + "  " +
                             reached(run.prefill, fmt::format("{:.2f} GMAC a token, {}",
                                                              run.prefill_products_per_token / 1e9,
                                                              run.multiply_add)));
  out +=
      line("first token", fmt::format("{:8.3f} s ({:.3f} to {:.3f}) after a prompt of {}",
                                      run.first_token_seconds.median, run.first_token_seconds.min,
                                      run.first_token_seconds.max, heading.prompt_tokens));
  out += line("decode", rates(run.decode_tokens_per_second) + "  " +
                            reached(run.decode, fmt::format("{:.3f} GB a token",
                                                            run.decode_bytes_per_token / 1e9)));
  if (run.sequences > 1)
    out += line("together",
                rates(run.together_tokens_per_second) + "  " +
                    reached(run.together, fmt::format("{} sequences, in total", run.sequences)));
  out += line("memory", fmt::format("{} resident, {} more than before loading; predicted {}: {}",
                                    bytes(used), bytes(used - before), bytes(need.total()),
                                    engine::describe(need, run.model.context_tokens)));
  return out;
}

Json spread_json(const Spread& spread) {
  return {{"median", spread.median}, {"min", spread.min}, {"max", spread.max}};
}

Json limits_json(const engine::MachineLimits& limits) {
  Json caches = Json::array(), multiply_adds = Json::array();
  for (const engine::CacheRate& cache : limits.caches)
    caches.push_back({{"level", cache.level},
                      {"bytes_a_thread", cache.bytes},
                      {"bytes_per_second", cache.bytes_per_second}});
  for (const engine::MultiplyAddRate& rate : limits.multiply_adds)
    multiply_adds.push_back(
        {{"instructions", rate.instructions}, {"products_per_second", rate.per_second}});
  return {{"memory_bytes_per_second", limits.memory_bytes_per_second},
          {"memory_streams", limits.memory_streams},
          {"memory_bytes_read", limits.memory_bytes},
          {"caches", caches},
          {"multiply_adds", multiply_adds}};
}

Json resident_json(const engine::ResidentMemory& memory) {
  return {{"anonymous", memory.anonymous}, {"file", memory.file}};
}

Json memory_json(const Benchmark& run) {
  const MemoryNeed& need = run.model.memory;
  return {{"predicted",
           {{"total", need.total()},
            {"weights", need.weights},
            {"vectors", need.vectors},
            {"cache", need.cache},
            {"scratch", need.scratch},
            {"tokenizer", need.tokenizer}}},
          {"used", run.at_end.anonymous + run.at_end.file - run.before_load.anonymous -
                       run.before_load.file},
          {"resident_before_load", resident_json(run.before_load)},
          {"resident_after_load", resident_json(run.after_load)},
          {"resident_at_end", resident_json(run.at_end)}};
}

Json run_json(const Benchmark& run) {
  return {{"threads", run.model.threads},
          {"kernel", run.model.kernel},
          {"limits", limits_json(run.limits)},
          {"load_seconds", run.load_seconds},
          {"load_to_first_token_seconds", run.load_to_first_token_seconds},
          {"first_token_seconds", spread_json(run.first_token_seconds)},
          {"prefill",
           {{"tokens_per_second", spread_json(run.prefill_tokens_per_second)},
            {"products_per_token", run.prefill_products_per_token},
            {"multiply_add", run.multiply_add},
            {"limit_tokens_per_second", run.prefill.limit},
            {"share_of_limit", run.prefill.share}}},
          {"decode",
           {{"tokens_per_second", spread_json(run.decode_tokens_per_second)},
            {"bytes_per_token", run.decode_bytes_per_token},
            {"limit_tokens_per_second", run.decode.limit},
            {"share_of_limit", run.decode.share}}},
          {"together",
           {{"sequences", run.sequences},
            {"tokens_per_second", spread_json(run.together_tokens_per_second)},
            {"limit_tokens_per_second", run.together.limit},
            {"share_of_limit", run.together.share}}},
          {"memory", memory_json(run)}};
}

}  // namespace

std::string bench_text(const BenchHeading& heading, const std::vector<Benchmark>& runs) {
  const engine::ModelInfo& model = runs.front().model;
  std::string out = fmt::format("tophand {} ({}) on {}, {}, load average {:.2f}\n", heading.version,
                                heading.commit, heading.cpu, model.kernel, heading.load_average);
  out += fmt::format("{}: {}, {}, {:.2f} G parameters, file {}\n", heading.source,
                     model.architecture, model.quantization,
                     static_cast<double>(model.parameters) / 1e9, bytes(model.file_bytes));
  out += fmt::format("prompt {}, then {} tokens one by one; median of {} (min to max)\n",
                     heading.prompt_tokens, heading.generate_tokens, heading.repeats);
  for (const Benchmark& run : runs) out += run_text(heading, run);
  return out;
}

Json bench_json(const BenchHeading& heading, const std::vector<Benchmark>& runs) {
  const engine::ModelInfo& model = runs.front().model;
  Json list = Json::array();
  for (const Benchmark& run : runs) list.push_back(run_json(run));
  return {{"version", heading.version},
          {"commit", heading.commit},
          {"cpu", heading.cpu},
          {"load_average", heading.load_average},
          {"prompt_tokens", heading.prompt_tokens},
          {"generate_tokens", heading.generate_tokens},
          {"repeats", heading.repeats},
          {"model",
           {{"source", heading.source},
            {"name", model.name},
            {"architecture", model.architecture},
            {"quantization", model.quantization},
            {"parameters", model.parameters},
            {"file_bytes", model.file_bytes},
            {"context_tokens", model.context_tokens},
            {"vocabulary", model.vocabulary}}},
          {"runs", list}};
}

}  // namespace tophand::cli
