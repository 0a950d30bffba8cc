#include "engine/benchmark/benchmark.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "base/clock.h"
#include "engine/sampler.h"
#include "engine/session.h"

namespace tophand::engine {
namespace {

using Progress = std::function<bool(std::string_view, double)>;

class Stopwatch {
 public:
  double seconds() const { return static_cast<double>(system_clock().mono_ns() - begin_) / 1e9; }

 private:
  std::int64_t begin_ = system_clock().mono_ns();
};

// Spread over the vocabulary, so that as many rows of the embedding are read as a real text could.
// The step is a prime that divides no vocabulary in use, so ids do not repeat before they must.
std::vector<text::TokenId> prompt(std::int64_t n, std::int64_t vocabulary) {
  constexpr std::int64_t kStep = 7'919;
  std::vector<text::TokenId> out;
  out.reserve(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i)
    out.push_back(static_cast<text::TokenId>(i * kStep % vocabulary));
  return out;
}

class Run {
 public:
  Run(const BenchmarkOptions& options, const Progress& keep_going)
      : options_(options), keep_going_(keep_going) {}

  Result<Benchmark> run() {
    TOPHAND_CHECK("bench", load());
    TOPHAND_CHECK("bench", cold_start());
    TOPHAND_CHECK("bench", measure_machine("machine limits, before"));
    for (int i = 0; i < options_.repeats; ++i) TOPHAND_CHECK("bench", round(i));
    out_.at_end = resident_memory();
    if (options_.sequences > 1) TOPHAND_CHECK("bench", run_together());
    TOPHAND_CHECK("bench", measure_machine("machine limits, after"));
    out_.prefill_tokens_per_second = spread_of(std::move(prefill_));
    out_.decode_tokens_per_second = spread_of(std::move(decode_));
    out_.first_token_seconds = spread_of(std::move(first_token_));
    judge();
    return std::move(out_);
  }

 private:
  Result<> progress(std::string_view step, double share) const {
    if (!keep_going_ || keep_going_(step, share)) return {};
    return fail(Code::kCancelled, "stopped");
  }

  Result<> load() {
    LoadOptions load = options_.load;
    if (load.context_tokens == 0)
      load.context_tokens = options_.prompt_tokens + options_.generate_tokens;
    TOPHAND_CHECK("load", progress("load", 0.0));
#if defined(__GLIBC__)
    ::malloc_trim(0);  // what an earlier run left behind is not this model's
#endif
    out_.before_load = resident_memory();
    const Stopwatch watch;
    auto model = Model::load(load, [&](double share) { (void)progress("load", share); });
    if (!model) return tl::unexpected(std::move(model).error());
    out_.load_seconds = watch.seconds();
    model_ = std::move(*model);
    out_.after_load = resident_memory();
    out_.model = model_->info();
    return progress("load", 1.0);
  }

  // With the caches of nothing warmed: the session is new and the weights have just been packed.
  Result<> cold_start() {
    const Stopwatch watch;
    TOPHAND_TRY(session, "start", Session::create(*model_));
    session_ = std::move(session);
    TOPHAND_CHECK("start", session_->forward(prompt(1, out_.model.vocabulary), nullptr));
    Sampler sampler({}, model_->tokenizer());
    (void)sampler.sample(session_->logits());
    out_.load_to_first_token_seconds = out_.load_seconds + watch.seconds();
    return {};
  }

  Result<> measure_machine(std::string_view step) {
    kernels::Isa isa{};
    if (!kernels::pick_isa(out_.model.kernel, isa))
      return fail(Code::kBug, "the model runs on an instruction set that is not there");
    TOPHAND_CHECK(step, progress(step, 0.0));
    TOPHAND_TRY(limits, step, measure_limits(out_.model.threads, isa, [&] {
                  return progress(step, 0.5).has_value();
                }));
    if (out_.limits.multiply_adds.empty()) out_.limits = std::move(limits);
    else out_.limits.keep_best(limits);
    return {};
  }

  Result<> round(int index) {
    const std::string step =
        "round " + std::to_string(index + 1) + " of " + std::to_string(options_.repeats);
    const auto total = static_cast<double>(options_.prompt_tokens + options_.generate_tokens);
    const auto reached = [&](std::int64_t tokens) {
      return progress(step, static_cast<double>(tokens) / total);
    };
    TOPHAND_CHECK(step, reached(0));
    const auto tokens = prompt(options_.prompt_tokens, out_.model.vocabulary);
    Sampler sampler({}, model_->tokenizer());
    (void)session_->truncate(0);
    const Stopwatch first;
    TOPHAND_CHECK(step, session_->forward(
                            tokens, [&](std::int64_t done) { return reached(done).has_value(); }));
    prefill_.push_back(static_cast<double>(options_.prompt_tokens) / first.seconds());
    text::TokenId token = sampler.sample(session_->logits());
    first_token_.push_back(first.seconds());

    const Stopwatch decoding;
    for (std::int64_t i = 0; i < options_.generate_tokens; ++i) {
      TOPHAND_CHECK(step, session_->forward({&token, 1}, nullptr));
      token = sampler.sample(session_->logits());
      TOPHAND_CHECK(step, reached(options_.prompt_tokens + i + 1));
    }
    decode_.push_back(static_cast<double>(options_.generate_tokens) / decoding.seconds());
    return {};
  }

  // After the memory was read: other sessions take some more.
  Result<> run_together() {
    std::vector<std::unique_ptr<Session>> sessions;
    std::vector<Session*> all;
    for (int i = 0; i < options_.sequences; ++i) {
      TOPHAND_TRY(session, "together", Session::create(*model_));
      all.push_back(session.get());
      sessions.push_back(std::move(session));
    }
    for (int i = 0; i < options_.repeats; ++i)
      TOPHAND_CHECK("together", round_together(all, "together, round " + std::to_string(i + 1) +
                                                        " of " + std::to_string(options_.repeats)));
    out_.together_tokens_per_second = spread_of(std::move(together_));
    return {};
  }

  Result<> round_together(std::span<Session* const> sessions, const std::string& step) {
    const auto n = static_cast<std::int64_t>(sessions.size());
    Sampler sampler({}, model_->tokenizer());
    std::vector<text::TokenId> next;
    auto tokens = prompt(options_.prompt_tokens, out_.model.vocabulary);
    for (Session* session : sessions) {
      TOPHAND_CHECK(step, progress(step, 0.0));
      (void)session->truncate(0);
      TOPHAND_CHECK(step, session->forward(tokens, nullptr));
      std::rotate(tokens.begin(), tokens.begin() + 1, tokens.end());  // each has its own
      next.push_back(sampler.sample(session->logits()));
    }
    const Stopwatch watch;
    for (std::int64_t i = 0; i < options_.generate_tokens; ++i) {
      TOPHAND_CHECK(step, Session::forward_together(sessions, next));
      for (std::size_t s = 0; s < sessions.size(); ++s)
        next[s] = sampler.sample(sessions[s]->logits());
      TOPHAND_CHECK(step, progress(step, static_cast<double>(i + 1) /
                                             static_cast<double>(options_.generate_tokens)));
    }
    together_.push_back(static_cast<double>(n * options_.generate_tokens) / watch.seconds());
    return {};
  }

  // AMX multiplies I2_S alone (kernels/matmul_amx.cc); other encodings run on the second it names.
  const MultiplyAddRate& multiply_add() const {
    const auto& rates = out_.limits.multiply_adds;
    const bool second = out_.model.kernel == "amx-int8" && out_.model.quantization != "I2_S";
    return rates[second && rates.size() > 1 ? 1 : 0];
  }

  void judge() {
    const double multiply_adds = multiply_add().per_second;
    out_.multiply_add = multiply_add().instructions;
    const ModelInfo& model = out_.model;
    const double middle = static_cast<double>(options_.prompt_tokens) +
                          static_cast<double>(options_.generate_tokens) / 2;
    out_.decode_bytes_per_token = static_cast<double>(model.memory.weights) +
                                  static_cast<double>(model.cache_bytes_per_position) * middle +
                                  static_cast<double>(model.state_bytes);
    out_.decode.limit = out_.limits.memory_bytes_per_second / out_.decode_bytes_per_token;
    out_.prefill_products_per_token =
        static_cast<double>(model.layer_products) +
        static_cast<double>(model.head_products) / static_cast<double>(options_.prompt_tokens);
    out_.prefill.limit = multiply_adds / out_.prefill_products_per_token;
    out_.sequences = options_.sequences;
    const double n = options_.sequences;
    const double own = out_.decode_bytes_per_token - static_cast<double>(model.memory.weights);
    const double step_bytes = static_cast<double>(model.memory.weights) + n * own;
    out_.together.limit =
        std::min(n * out_.limits.memory_bytes_per_second / step_bytes,
                 multiply_adds / static_cast<double>(model.layer_products + model.head_products));
    if (options_.sequences > 1 && out_.together.limit > 0)
      out_.together.share = out_.together_tokens_per_second.median / out_.together.limit;
    if (out_.decode.limit > 0)
      out_.decode.share = out_.decode_tokens_per_second.median / out_.decode.limit;
    if (out_.prefill.limit > 0)
      out_.prefill.share = out_.prefill_tokens_per_second.median / out_.prefill.limit;
  }

  const BenchmarkOptions& options_;
  const Progress& keep_going_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Session> session_;
  Benchmark out_;
  std::vector<double> prefill_, decode_, first_token_, together_;
};

}  // namespace

Spread spread_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return {(values[(n - 1) / 2] + values[n / 2]) / 2, values.front(), values.back()};
}

Result<Benchmark> run_benchmark(const BenchmarkOptions& options, const Progress& keep_going) {
  if (options.prompt_tokens < 1 || options.generate_tokens < 1 || options.repeats < 1)
    return fail(Code::kInvalid, "a benchmark needs a prompt, a token to generate and a repeat");
  if (options.sequences < 1 || static_cast<std::size_t>(options.sequences) > kTogetherMax)
    return fail(Code::kInvalid,
                "1 to " + std::to_string(kTogetherMax) + " sequences can be decoded together");
  Run run(options, keep_going);
  return run.run();
}

}  // namespace tophand::engine
