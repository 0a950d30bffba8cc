#include <cstdlib>
#include <optional>
#include <ostream>

#include "base/json.h"
#include "cli/bench_report.h"
#include "cli/build_id.h"
#include "cli/commands.h"
#include "cli/gateway_client.h"
#include "cli/model_path.h"
#include "cli/progress.h"
#include "cli/random_model_file.h"
#include "engine/benchmark/random_model.h"
#include "engine/session.h"
#include "engine/thread_pool.h"

namespace tophand::cli {
namespace {

constexpr int kThreadsMax = 256;
// A load above this share of the cores is somebody else's work.
constexpr double kBusyShare = 0.25;

constexpr Flag kFlags[] = {
    {"--shape", "NAME", "random weights in a published model's shape instead of a MODEL"},
    {"--type", "TYPE", "encoding of the shape's matrices: I2_S, TQ2_0, Q4_K, ..."},
    {"--head", "TYPE", "encoding of the shape's output matrix"},
    {"--seed", "N", "seed of the random weights (default 1)"},
    {"--keep", "", "leave the random model in the cache folder"},
    {"--threads", "N[,N...]", "threads; several numbers give a run each (default: physical cores)"},
    {"--prompt", "N", "tokens of the prompt (default 512)"},
    {"--generate", "N", "tokens to generate after it (default 64)"},
    {"--sequences", "N", "also decode N sequences together, each after its own prompt (to 16)"},
    {"--repeat", "N", "rounds (default 3)"},
    {"--kernel", "NAME", "force an instruction set"},
    {"--json", "", "print a JSON object"},
};

using Runs = std::vector<engine::Benchmark>;

// "1,2,8"; {0} (all cores) when the flag is absent.
Result<std::vector<int>> read_threads(const Arguments& args) {
  std::vector<int> out;
  const std::string list = args.get("--threads", "0");
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t comma = std::min(list.find(',', at), list.size());
    Arguments one;
    one.flags["--threads"] = list.substr(at, comma - at);
    TOPHAND_TRY(threads, "bench",
                one.get_int("--threads", 0, args.has("--threads") ? 1 : 0, kThreadsMax));
    out.push_back(static_cast<int>(threads));
    at = comma + 1;
  }
  return out;
}

Result<engine::BenchmarkOptions> read_options(const Arguments& args) {
  engine::BenchmarkOptions options;
  constexpr std::int64_t kTokensMax = 1 << 20;
  TOPHAND_TRY(prompt, "bench", args.get_int("--prompt", options.prompt_tokens, 1, kTokensMax));
  TOPHAND_TRY(generate, "bench",
              args.get_int("--generate", options.generate_tokens, 1, kTokensMax));
  TOPHAND_TRY(repeat, "bench", args.get_int("--repeat", options.repeats, 1, 1000));
  TOPHAND_TRY(sequences, "bench",
              args.get_int("--sequences", options.sequences, 1,
                           static_cast<std::int64_t>(engine::kTogetherMax)));
  options.sequences = static_cast<int>(sequences);
  options.prompt_tokens = prompt;
  options.generate_tokens = generate;
  options.repeats = static_cast<int>(repeat);
  options.load.kernel = args.get("--kernel");
  return options;
}

Result<RandomModelPlan> read_plan(const Arguments& args) {
  TOPHAND_TRY(shape, "--shape", engine::find_model_shape(args.get("--shape")));
  TOPHAND_TRY(encoded, "bench",
              engine::with_encodings(shape, args.get("--type"), args.get("--head")));
  TOPHAND_TRY(seed, "bench", args.get_int("--seed", 1, 0, INT64_MAX));
  RandomModelPlan plan{.shape = encoded,
                       .seed = static_cast<std::uint64_t>(seed),
                       .keep = args.has("--keep"),
                       .folder = cache_folder(),
                       .name = std::string(encoded.name)};
  for (const char* flag : {"--type", "--head"})
    if (args.has(flag)) plan.name += "-" + args.get(flag);
  plan.name += "-seed" + std::to_string(seed) + ".gguf";
  return plan;
}

double load_average() {
  double one_minute = 0.0;
  return ::getloadavg(&one_minute, 1) == 1 ? one_minute : 0.0;
}

class Bench {
 public:
  Bench(Io& io, const Arguments& args) : io_(io), args_(args), bar_(io.err, io.err_is_terminal) {}

  Result<Runs> run() {
    if (args_.has("--shape") != args_.positional.empty())
      return fail(Code::kInvalid, "give a MODEL or --shape NAME");
    for (const char* flag : {"--type", "--head", "--seed", "--keep"})
      if (args_.has(flag) && !args_.has("--shape"))
        return fail(Code::kInvalid, std::string(flag) + " is for --shape");
    TOPHAND_TRY(threads, "bench", read_threads(args_));
    TOPHAND_TRY(options, "bench", read_options(args_));
    set_heading(options);
    TOPHAND_TRY(path, "bench", model_file());
    Runs runs;
    for (const int n : threads) {
      options.load.path = path;
      options.load.threads = n;
      const std::string prefix = threads.size() > 1 ? std::to_string(n) + " threads: " : "";
      TOPHAND_TRY(measured, "bench",
                  engine::run_benchmark(options, [&](std::string_view step, double share) {
                    return show(prefix + std::string(step), share);
                  }));
      runs.push_back(std::move(measured));
    }
    bar_.clear();
    return runs;
  }

  const BenchHeading& heading() const { return heading_; }

 private:
  bool show(const std::string& step, double share) {
    bar_.update(step, share);
    return !interrupt_.cancelled();
  }

  void set_heading(const engine::BenchmarkOptions& options) {
    heading_.version = TOPHAND_VERSION;
    heading_.commit = std::string(build_commit());
    heading_.cpu = kernels::cpu_model_name();
    heading_.load_average = load_average();
    heading_.prompt_tokens = options.prompt_tokens;
    heading_.generate_tokens = options.generate_tokens;
    heading_.repeats = options.repeats;
    if (heading_.load_average > kBusyShare * engine::usable_cores())
      io_.err << "tophand: the machine is busy (load average " << heading_.load_average
              << "): what is measured now is less than it can do\n";
  }

  Result<std::string> model_file() {
    if (!args_.has("--shape")) {
      heading_.source = args_.positional[0];
      return find_model_file(args_.positional[0]);
    }
    TOPHAND_TRY(plan, "bench", read_plan(args_));
    TOPHAND_TRY(size, "bench", engine::random_model_bytes(plan.shape));
    heading_.source =
        "random " + std::string(plan.shape.name) + ", seed " + std::to_string(plan.seed);
    io_.err << heading_.source << ": " << format_bytes(size) << " in " << plan.folder
            << (plan.keep ? ", kept as " + plan.name : ", removed afterwards") << '\n';
    auto file = RandomModelFile::create(
        plan, [&](double share) { return show("write random weights", share); });
    if (!file) return tl::unexpected(std::move(file).error());
    random_.emplace(std::move(*file));
    return random_->path();
  }

  Io& io_;
  const Arguments& args_;
  InterruptScope interrupt_;
  StepBar bar_;
  BenchHeading heading_;
  std::optional<RandomModelFile> random_;
};

int run(Io& io, const Arguments& args) {
  Bench bench(io, args);
  const auto runs = bench.run();
  if (!runs) return report(io, runs.error());
  if (args.has("--json")) io.out << dump_json(bench_json(bench.heading(), *runs)) << '\n';
  else io.out << bench_text(bench.heading(), *runs);
  return 0;
}

}  // namespace

const Command kBench{
    .name = "bench",
    .arguments = "[MODEL]",
    .summary = "Measure a model's speed and memory, and the machine's limits",
    .help =
        "Prints prefill and decode speed, time to the first token, load time and memory, and what\n"
        "share they are of what this machine can do, measured in the same run. MODEL is an\n"
        "installed model's name or a GGUF file; --shape needs no model: it writes one with random\n"
        "weights, as large and as fast as the real one, into the cache folder\n"
        "($XDG_CACHE_HOME/tophand), where it is removed afterwards. Shapes: bitnet-2b, llama3-8b,\n"
        "bonsai-1.7b, bonsai-8b, qwen2.5-coder-1.5b, qwen2.5-coder-0.5b.\n\n"
        "  tophand bench qwen2.5-coder:1.5b --threads 1,2\n"
        "  tophand bench --shape bitnet-2b --head F16\n"
        "  tophand bench --shape bitnet-2b --type TQ2_0 --kernel avx2 --json\n"
        "  tophand bench --shape bitnet-2b --prompt 16 --sequences 8\n",
    .flags = kFlags,
    .positional_min = 0,
    .positional_max = 1,
    .run = run,
};

}  // namespace tophand::cli
