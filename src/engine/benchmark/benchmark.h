// Measures one model on this machine: speed, memory, and the machine's own limits in the same
// minute, so that a figure can be read as a share of what is possible. `tophand bench` prints it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "engine/benchmark/machine_limits.h"
#include "engine/memory.h"
#include "engine/model.h"

namespace tophand::engine {

struct BenchmarkOptions {
  LoadOptions load;  // context_tokens 0: just what is run
  std::int64_t prompt_tokens = 512;
  std::int64_t generate_tokens = 64;
  int repeats = 3;
  // Above 1: also so many sequences decoded together, each after a prompt of its own.
  int sequences = 1;
};

// Over the repeats.
struct Spread {
  double median = 0.0, min = 0.0, max = 0.0;
};

// What a figure is bounded by, and the part of it that was reached (median over limit).
struct Bound {
  double limit = 0.0, share = 0.0;
};

struct Benchmark {
  ModelInfo model;
  MachineLimits limits;  // the better of before and after

  double load_seconds = 0.0;
  // From the start of loading to the first token chosen after a prompt of one token.
  double load_to_first_token_seconds = 0.0;

  Spread prefill_tokens_per_second;
  Spread decode_tokens_per_second;
  Spread first_token_seconds;  // from the prompt to the first token chosen

  // Decode: packed weights and the cached positions (at the middle of the generation) read once a
  // token, over memory bandwidth.
  double decode_bytes_per_token = 0.0;
  Bound decode;
  // `sequences` together: tokens of all of them a second, and the smaller of two limits: the
  // weights read once a step and each sequence's cached positions, or the products of all tokens.
  int sequences = 1;
  Spread together_tokens_per_second;
  Bound together;

  // Prefill: products of the layers' matrices, over the int8 multiply-add rate. The output matrix
  // is needed once a prompt, attention and norms are not counted.
  double prefill_products_per_token = 0.0;
  std::string multiply_add;  // of `limits`: the one that the model's matrices run on
  Bound prefill;

  ResidentMemory before_load, after_load, at_end;  // at_end: the context is full
};

Spread spread_of(std::vector<double> values);  // at least one

// `keep_going` gets the step ("load", "round 2 of 3", ...) and how much of it is done, 0..1; false
// ends with kCancelled (a load cannot be broken off: it ends first). Tokens of the prompt are
// spread over the vocabulary; what is generated is chosen greedily and fed back. kTooLarge when the
// prompt and the generation do not fit the context, or the model not the memory.
Result<Benchmark> run_benchmark(
    const BenchmarkOptions& options,
    const std::function<bool(std::string_view step, double share)>& keep_going);

}  // namespace tophand::engine
