#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/model_path.h"
#include "cli/text_input.h"
#include "engine/part_file.h"
#include "engine/session.h"

namespace tophand::cli {
namespace {

constexpr Flag kFlags[] = {
    {"--file", "FILE", "measure on this text (\"-\": standard input)"},
    {"--tokens", "IDS.json", "measure on these token ids, a JSON array"},
    {"--logits", "OUT.f32",
     "write every position's logits: float32, little-endian, positions x vocabulary"},
    {"--threads", "N", "threads to use (default: physical cores)"},
    {"--context", "N", "tokens a window; longer inputs are cut into windows (default 8192)"},
    {"--kernel", "NAME", "force an instruction set"},
    {"--pre-tokenizer", "NAME", "split as NAME does, whatever the file says"},
    {"--json", "", "print a JSON object"},
};

using Tokens = std::vector<text::TokenId>;

Result<Tokens> read_ids(const std::string& path) {
  TOPHAND_TRY(text, "read tokens", read_text_file(path));
  TOPHAND_TRY(json, "read tokens", parse_json(text));
  if (!json.is_array()) return fail(Code::kInvalid, "'" + path + "' is not a JSON array of ids");
  Tokens ids;
  for (const Json& item : json) {
    if (!item.is_number_integer() || item.get<std::int64_t>() < 0 ||
        item.get<std::int64_t>() > INT32_MAX)
      return fail(Code::kInvalid, "'" + path + "' holds something that is not a token id");
    ids.push_back(item.get<text::TokenId>());
  }
  return ids;
}

struct Input {
  Tokens ids;
  std::optional<text::TokenId> begin;  // put in front of every window: as trained
};

Result<Input> read_input(const Arguments& args, const engine::Model& model) {
  if (args.has("--file") == args.has("--tokens"))
    return fail(Code::kInvalid, "give --file or --tokens");
  Input input;
  if (args.has("--tokens")) {  // as they are
    TOPHAND_TRY(ids, "--tokens", read_ids(args.get("--tokens")));
    input.ids = std::move(ids);
    return input;
  }
  TOPHAND_TRY(text, "read text", read_text_file(args.get("--file")));
  const text::Tokenizer& tokenizer = model.tokenizer();
  if (tokenizer.add_bos()) input.begin = tokenizer.bos();
  tokenizer.encode(text, text::SpecialTokens::kAsText, input.ids);
  return input;
}

// -ln softmax(logits)[id], in double so that thousands of terms add up well.
double surprise(std::span<const float> logits, text::TokenId id) {
  const double top = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - top);
  return top + std::log(sum) - static_cast<double>(logits[static_cast<std::size_t>(id)]);
}

struct Measured {
  double perplexity = 0.0;
  double standard_error = 0.0;  // of the perplexity
  std::size_t tokens = 0;       // run
  std::size_t predicted = 0;    // of them, those with a token before them in their window
  std::size_t windows = 0;
};

// Mean and spread of the surprise of each predicted token (Welford's running sums).
class Surprises {
 public:
  void add(double value) {
    ++count_;
    const double off = value - mean_;
    mean_ += off / static_cast<double>(count_);
    squares_ += off * (value - mean_);
  }
  std::size_t count() const { return count_; }
  double perplexity() const { return count_ > 0 ? std::exp(mean_) : NAN; }
  // exp' = exp, so the mean's standard error is scaled by the perplexity. Tokens are taken as
  // independent, which those of one text are not quite: it is a lower bound.
  double standard_error() const {
    if (count_ < 2) return NAN;
    const auto n = static_cast<double>(count_);
    return perplexity() * std::sqrt(squares_ / (n - 1) / n);
  }

 private:
  std::size_t count_ = 0;
  double mean_ = 0.0, squares_ = 0.0;
};

class Progress {
 public:
  Progress(Io& io, std::size_t total) : io_(io), total_(total) {
    if (!io.err_is_terminal) io.err << "running " << total << " tokens\n" << std::flush;
  }
  ~Progress() {
    if (io_.err_is_terminal) io_.err << "\r\033[K";
  }
  void show(std::size_t done, double perplexity) {
    if (!io_.err_is_terminal || done % 16 != 0) return;
    char line[96];
    std::snprintf(line, sizeof line, "\r%3zu%%  %zu of %zu tokens  perplexity %.3f",
                  100 * done / total_, done, total_, perplexity);
    io_.err << line << std::flush;
  }

 private:
  Io& io_;
  std::size_t total_;
};

Result<Measured> measure(Io& io, engine::Session& session, const Input& input,
                         std::ostream* logits) {
  const Tokens& ids = input.ids;
  const std::size_t in_front = input.begin ? 1 : 0;
  const auto window = static_cast<std::size_t>(session.context_tokens()) - in_front;
  Progress progress(io, ids.size());
  Measured out;
  Surprises surprises;
  for (std::size_t begin = 0; begin < ids.size(); begin += window, ++out.windows) {
    const auto part = std::span(ids).subspan(begin, std::min(window, ids.size() - begin));
    Tokens run;
    if (input.begin) run.push_back(*input.begin);
    run.insert(run.end(), part.begin(), part.end());
    session.truncate(0);
    const auto take = [&](std::int64_t index, std::span<const float> row) {
      const auto next = static_cast<std::size_t>(index) + 1;
      if (next < run.size()) surprises.add(surprise(row, run[next]));
      if (logits != nullptr)
        logits->write(reinterpret_cast<const char*>(row.data()),
                      static_cast<std::streamsize>(row.size_bytes()));
      progress.show(begin + next - in_front, surprises.perplexity());
    };
    if (auto done = session.forward_all(run, take); !done)
      return tl::unexpected(std::move(done).error());
    out.tokens += run.size();
  }
  out.predicted = surprises.count();
  out.perplexity = surprises.perplexity();
  out.standard_error = surprises.standard_error();
  return out;
}

// The logits must not take the place of what they are made from.
Result<> check_output(const Arguments& args, const std::string& model) {
  const std::string out = args.get("--logits");
  for (const std::string& in : {model, args.get("--file"), args.get("--tokens")}) {
    std::error_code none;
    if (!in.empty() && std::filesystem::equivalent(in, out, none))
      return fail(Code::kInvalid, "'" + out + "' is what is read; name another file");
  }
  return engine::PartFile(out).check(/*replace=*/true);
}

Result<Measured> perplexity(Io& io, const Arguments& args) {
  TOPHAND_TRY(options, "find model", find_model(args.positional[0]));
  TOPHAND_TRY(threads, "--threads", args.get_int("--threads", 0, 0, 256));
  options.threads = static_cast<int>(threads);
  TOPHAND_TRY(context, "--context", args.get_int("--context", 0, 2, 1 << 24));
  options.context_tokens = context;
  options.kernel = args.get("--kernel");
  if (args.has("--pre-tokenizer")) options.pre_tokenizer = args.get("--pre-tokenizer");
  if (args.has("--logits")) TOPHAND_CHECK("--logits", check_output(args, options.path));
  auto model = engine::Model::load(options, nullptr);
  if (!model) return tl::unexpected(std::move(model).error());
  TOPHAND_TRY(input, "read input", read_input(args, **model));
  if (input.ids.size() < 2 && !args.has("--logits"))
    return fail(Code::kInvalid, "perplexity needs at least two tokens");
  TOPHAND_TRY(session, "start", engine::Session::create(**model));
  if (session->context_tokens() < 2)
    return fail(Code::kInvalid, "perplexity needs a context of at least two tokens");
  if (!args.has("--logits")) return measure(io, *session, input, nullptr);
  const std::string& name = args.get("--logits");
  engine::PartFile part(name);
  std::ofstream file(part.path(), std::ios::binary | std::ios::trunc);
  if (!file) return fail(Code::kIo, "cannot write '" + name + "'");
  auto measured = measure(io, *session, input, &file);
  if (!measured) return measured;
  file.close();
  if (!file) return fail(Code::kIo, "writing '" + name + "' failed; nothing is left of it");
  TOPHAND_CHECK("--logits", part.publish(/*replace=*/true));
  return measured;
}

int run(Io& io, const Arguments& args) {
  const auto measured = perplexity(io, args);
  if (!measured) return report(io, measured.error());
  if (measured->predicted > 0 && !std::isfinite(measured->perplexity))
    return report(io, {Code::kInvalid,
                       "the perplexity is not a number: the model's logits are not finite, or "
                       "hopelessly wrong; the file is damaged, or was not meant for this text"});
  if (args.has("--json")) {
    Json out{{"perplexity", nullptr},
             {"standard_error", nullptr},
             {"tokens", measured->tokens},
             {"predicted", measured->predicted},
             {"windows", measured->windows}};
    if (measured->predicted > 0) out["perplexity"] = measured->perplexity;
    if (measured->predicted > 1) out["standard_error"] = measured->standard_error;
    io.out << dump_json(out) << '\n';
    return 0;
  }
  // One token alone has no spread; none has no perplexity.
  char error[40] = "";
  if (measured->predicted > 1)
    std::snprintf(error, sizeof error, " +/- %.4f", measured->standard_error);
  char line[160];
  if (measured->predicted > 0)
    std::snprintf(line, sizeof line, "perplexity %.4f%s over", measured->perplexity, error);
  else std::snprintf(line, sizeof line, "no perplexity:");
  io.out << line << ' ' << measured->predicted
         << (measured->predicted == 1 ? " predicted token (" : " predicted tokens (")
         << measured->tokens << " run, " << measured->windows
         << (measured->windows == 1 ? " window)\n" : " windows)\n");
  return 0;
}

}  // namespace

const Command kPerplexity{
    .name = "perplexity",
    .arguments = "MODEL",
    .summary = "Measure how well a model predicts a text; write its logits",
    .help =
        "For checking the engine from outside, and what an encoding costs in quality: run the "
        "same\n"
        "text through both files; a difference of less than two standard errors says nothing. "
        "MODEL\n"
        "is an installed model's name or a GGUF file. Texts longer than the context are cut into\n"
        "windows that start afresh, each with the model's begin-of-text token if it wants one.\n\n"
        "  tophand perplexity qwen2.5-coder:1.5b --file README.md\n"
        "  tophand perplexity ./model.gguf --tokens ids.json --logits out.f32 --threads 2\n",
    .flags = kFlags,
    .positional_min = 1,
    .positional_max = 1,
    .run = run,
};

}  // namespace tophand::cli
