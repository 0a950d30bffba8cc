#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/model_path.h"
#include "cli/text_input.h"
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

Result<Tokens> input_tokens(const Arguments& args, const engine::Model& model) {
  if (args.has("--file") == args.has("--tokens"))
    return fail(Code::kInvalid, "give --file or --tokens");
  if (args.has("--tokens")) return read_ids(args.get("--tokens"));
  TOPHAND_TRY(text, "read text", read_text_file(args.get("--file")));
  const text::Tokenizer& tokenizer = model.tokenizer();
  Tokens ids;
  if (tokenizer.add_bos() && tokenizer.bos()) ids.push_back(*tokenizer.bos());
  tokenizer.encode(text, text::SpecialTokens::kAsText, ids);
  return ids;
}

// -ln softmax(logits)[id], in double so that thousands of terms add up well.
double surprise(std::span<const float> logits, text::TokenId id) {
  const double top = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - top);
  return top + std::log(sum) - static_cast<double>(logits[static_cast<std::size_t>(id)]);
}

class Progress {
 public:
  Progress(Io& io, std::size_t total) : io_(io), total_(total) {}
  ~Progress() {
    if (io_.err_is_terminal) io_.err << "\r\033[K";
  }
  void show(std::size_t done, double perplexity) {
    if (!io_.err_is_terminal || done % 16 != 0) return;
    char line[80];
    std::snprintf(line, sizeof line, "\r%3zu%%  %zu of %zu tokens  perplexity %.3f",
                  100 * done / total_, done, total_, perplexity);
    io_.err << line << std::flush;
  }

 private:
  Io& io_;
  std::size_t total_;
};

struct Measured {
  double perplexity = 0.0;
  std::size_t tokens = 0;     // run
  std::size_t predicted = 0;  // of them, those with a token before them in their window
};

Result<Measured> measure(Io& io, engine::Session& session, const Tokens& ids,
                         std::ostream* logits) {
  Progress progress(io, ids.size());
  Measured out;
  double total = 0.0;
  const auto window = static_cast<std::size_t>(session.context_tokens());
  for (std::size_t begin = 0; begin < ids.size(); begin += window) {
    const auto part = std::span(ids).subspan(begin, std::min(window, ids.size() - begin));
    session.truncate(0);
    const auto take = [&](std::int64_t index, std::span<const float> row) {
      const auto next = static_cast<std::size_t>(index) + 1;
      if (next < part.size()) {
        total += surprise(row, part[next]);
        ++out.predicted;
      }
      if (logits != nullptr)
        logits->write(reinterpret_cast<const char*>(row.data()),
                      static_cast<std::streamsize>(row.size_bytes()));
      progress.show(begin + next,
                    std::exp(total / static_cast<double>(std::max<std::size_t>(1, out.predicted))));
    };
    if (auto done = session.forward_all(part, take); !done)
      return tl::unexpected(std::move(done).error());
  }
  out.tokens = ids.size();
  out.perplexity = out.predicted > 0 ? std::exp(total / static_cast<double>(out.predicted)) : NAN;
  return out;
}

Result<Measured> perplexity(Io& io, const Arguments& args) {
  engine::LoadOptions options;
  TOPHAND_TRY(path, "find model", find_model_file(args.positional[0]));
  options.path = std::move(path);
  TOPHAND_TRY(threads, "--threads", args.get_int("--threads", 0, 0, 256));
  options.threads = static_cast<int>(threads);
  TOPHAND_TRY(context, "--context", args.get_int("--context", 0, 0, 1 << 24));
  options.context_tokens = context;
  options.kernel = args.get("--kernel");
  auto model = engine::Model::load(options, nullptr);
  if (!model) return tl::unexpected(std::move(model).error());
  TOPHAND_TRY(ids, "read input", input_tokens(args, **model));
  if (ids.size() < 2 && !args.has("--logits"))
    return fail(Code::kInvalid, "perplexity needs at least two tokens");
  TOPHAND_TRY(session, "start", engine::Session::create(**model));
  std::ofstream file;
  if (args.has("--logits")) {
    file.open(args.get("--logits"), std::ios::binary | std::ios::trunc);
    if (!file) return fail(Code::kIo, "cannot write '" + args.get("--logits") + "'");
  }
  auto measured = measure(io, *session, ids, file.is_open() ? &file : nullptr);
  if (file.is_open() && !file.flush())
    return fail(Code::kIo, "writing '" + args.get("--logits") + "' failed");
  return measured;
}

int run(Io& io, const Arguments& args) {
  const auto measured = perplexity(io, args);
  if (!measured) return report(io, measured.error());
  if (args.has("--json")) {
    Json out{
        {"perplexity", nullptr}, {"tokens", measured->tokens}, {"predicted", measured->predicted}};
    if (measured->predicted > 0) out["perplexity"] = measured->perplexity;
    io.out << dump_json(out) << '\n';
    return 0;
  }
  char line[96];
  std::snprintf(line, sizeof line, "perplexity %.4f over %zu predicted tokens\n",
                measured->perplexity, measured->predicted);
  io.out << line;
  return 0;
}

}  // namespace

const Command kPerplexity{
    .name = "perplexity",
    .arguments = "MODEL",
    .summary = "Measure how well a model predicts a text; write its logits",
    .help =
        "For checking the engine from outside. MODEL is an installed model's name or a GGUF\n"
        "file. Texts longer than the context are cut into windows that start afresh.\n\n"
        "  tophand perplexity qwen2.5-coder:1.5b --file README.md\n"
        "  tophand perplexity ./model.gguf --tokens ids.json --logits out.f32 --threads 2\n",
    .flags = kFlags,
    .positional_min = 1,
    .positional_max = 1,
    .run = run,
};

}  // namespace tophand::cli
