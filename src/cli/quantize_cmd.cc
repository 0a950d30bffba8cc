#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <ostream>
#include <utility>

#include "base/clock.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/gateway_client.h"
#include "cli/model_path.h"
#include "cli/progress.h"
#include "engine/quantize.h"

namespace tophand::cli {
namespace {

using kernels::Encoding;

constexpr Flag kFlags[] = {
    {"--type", "TYPE", "encoding of the layers' matrices"},
    {"--embedding", "TYPE", "encoding of the token embedding"},
    {"--output", "TYPE", "encoding of the output matrix"},
    {"--lossy", "", "ternary weights that TYPE cannot hold exactly: write the nearest"},
    {"--requantize", "", "round weights that are quantised already once more"},
    {"--force", "", "replace OUT"},
    {"--threads", "N", "threads to use (default: physical cores)"},
    {"--json", "", "print a JSON object"},
};

std::string_view name_of(Encoding encoding) {
  return kernels::encoding_info(encoding).name;
}

Result<std::optional<Encoding>> get_type(const Arguments& args, std::string_view flag) {
  if (!args.has(flag)) return std::optional<Encoding>();
  const std::string text = args.get(flag);
  if (const auto found = engine::encoding_named(text)) return found;
  std::string known;
  for (std::size_t e = 0; e < kernels::kEncodingCount; ++e)
    (known += e > 0 ? ", " : "") += name_of(static_cast<Encoding>(e));
  return fail(Code::kInvalid,
              std::string(flag) + " must be one of " + known + ", found '" + text + "'");
}

Result<engine::QuantizeOptions> options_of(const Arguments& args) {
  engine::QuantizeOptions options;
  TOPHAND_TRY(in, "find model", find_model_file(args.positional[0]));
  options.in = in;
  options.out = args.positional[1];
  TOPHAND_TRY(layers, "quantize", get_type(args, "--type"));
  TOPHAND_TRY(embedding, "quantize", get_type(args, "--embedding"));
  TOPHAND_TRY(output, "quantize", get_type(args, "--output"));
  options.types = {.layers = layers, .embedding = embedding, .output = output};
  if (!layers && !embedding && !output)
    return fail(Code::kInvalid, "say what to change: --type, --embedding or --output");
  options.limits = {.lossy = args.has("--lossy"), .requantize = args.has("--requantize")};
  options.replace = args.has("--force");
  TOPHAND_TRY(threads, "--threads", args.get_int("--threads", 0, 0, 256));
  options.threads = static_cast<int>(threads);
  return options;
}

void print_json(Io& io, const engine::QuantizeOptions& options,
                const engine::QuantizeReport& report) {
  Json changed = Json::array();
  for (const engine::QuantizedClass& item : report.changed)
    changed.push_back({{"class", item.name},
                       {"tensors", item.tensors},
                       {"from", name_of(item.from)},
                       {"to", name_of(item.to)},
                       {"bytes_before", item.bytes_before},
                       {"bytes_after", item.bytes_after},
                       {"relative_rms_error", item.relative_rms_error()}});
  io.out << dump_json(Json{{"in", options.in},
                           {"out", options.out},
                           {"bytes_before", report.bytes_before},
                           {"bytes_after", report.bytes_after},
                           {"tensors_kept", report.tensors_kept},
                           {"changed", changed}})
         << '\n';
}

void print_text(Io& io, const engine::QuantizeOptions& options,
                const engine::QuantizeReport& report) {
  std::size_t width = 6;
  for (const engine::QuantizedClass& item : report.changed)
    width = std::max(width, item.name.size());
  io.out << fmt::format("{:<{}}  tensors  {:<6}  {:<6}  {:>10}  {:>10}  relative RMS error\n",
                        "class", width, "from", "to", "before", "after");
  for (const engine::QuantizedClass& item : report.changed) {
    const double error = item.relative_rms_error();
    io.out << fmt::format("{:<{}}  {:>7}  {:<6}  {:<6}  {:>10}  {:>10}  {}\n", item.name, width,
                          item.tensors, name_of(item.from), name_of(item.to),
                          format_bytes(item.bytes_before), format_bytes(item.bytes_after),
                          error == 0.0 ? "0 (exact)" : fmt::format("{:.5f}", error));
  }
  io.out << fmt::format("{} tensors as they were; {} -> {}: {}\n", report.tensors_kept,
                        format_bytes(report.bytes_before), format_bytes(report.bytes_after),
                        options.out);
}

// Two thirds of the weights' size gone: what ternary types do to weights not trained for them.
constexpr double kRuinous = 0.3;

void warn(Io& io, const engine::QuantizeOptions& options, const engine::QuantizeReport& report) {
  if (options.limits.requantize)
    io.err << "tophand: weights were rounded twice; a file made from the F16 model is better\n";
  for (const engine::QuantizedClass& item : report.changed) {
    if (item.relative_rms_error() < kRuinous) continue;
    io.err << "tophand: " << name_of(item.to) << " changed " << item.name
           << " beyond use, unless the model was trained for it\n";
    return;
  }
}

int run(Io& io, const Arguments& args) {
  const auto options = options_of(args);
  if (!options) return report(io, options.error());
  const InterruptScope interrupt({SIGTERM, SIGHUP});  // killed, it would leave its half behind
  ProgressBar bar(io.err, io.err_is_terminal);
  const std::int64_t start_ns = system_clock().mono_ns();
  const auto progress = [&](std::uint64_t done, std::uint64_t total) {
    constexpr std::int64_t kPatienceNs = 2'000'000'000;
    const std::int64_t now_ns = system_clock().mono_ns();
    if (io.err_is_terminal && now_ns - start_ns > kPatienceNs)
      bar.update("quantising", done, total, now_ns);
    return !interrupt.cancelled();
  };
  const auto done = engine::quantize_file(*options, progress);
  bar.clear();
  if (!done) return report(io, done.error());
  if (args.has("--json")) print_json(io, *options, *done);
  else print_text(io, *options, *done);
  warn(io, *options, *done);
  return 0;
}

}  // namespace

const Command kQuantize{
    .name = "quantize",
    .arguments = "MODEL OUT.gguf",
    .summary = "Write a model file with its weights in another encoding",
    .help =
        "MODEL is an installed model's name or a GGUF file. Types: F32, F16, BF16, Q8_0, Q6_K, "
        "Q5_K,\n"
        "Q5_1, Q5_0, Q4_K, Q4_1, Q4_0, and ternary I2_S, TQ2_0, TQ1_0, Q2_0, PQ2_0, PTQ1_0, Q1_0.\n"
        "Norms, biases and other vectors stay as they are. Between ternary types nothing is lost, "
        "or\n"
        "the change is refused.\n\n"
        "  tophand quantize model-f16.gguf model-q4.gguf --type q4_k\n"
        "  tophand quantize bitnet-2b.gguf smaller.gguf --embedding q6_k\n"
        "  tophand quantize bonsai-pq2.gguf for-llama.gguf --type q2_0\n",
    .flags = kFlags,
    .positional_min = 2,
    .positional_max = 2,
    .run = run,
};

}  // namespace tophand::cli
