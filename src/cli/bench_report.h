// How `tophand bench` shows what it measured. Pure: from values to text and JSON.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json_fwd.h"
#include "engine/benchmark/benchmark.h"

namespace tophand::cli {

struct BenchHeading {
  std::string version, commit, cpu;
  std::string source;       // what was measured: a path, or "random bitnet-2b, seed 1"
  double load_average = 0;  // of the last minute, before anything was run
  std::int64_t prompt_tokens = 0, generate_tokens = 0;
  int repeats = 0;
};

// One run for each number of threads; at least one.
std::string bench_text(const BenchHeading& heading, const std::vector<engine::Benchmark>& runs);
Json bench_json(const BenchHeading& heading, const std::vector<engine::Benchmark>& runs);

}  // namespace tophand::cli
