#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>

#include "cli/commands.h"
#include "cli/model_path.h"
#include "cli/text_input.h"
#include "engine/vocabulary.h"

namespace tophand::cli {
namespace {

constexpr Flag kFlags[] = {
    {"--text", "TEXT", "the text to split"},
    {"--file", "FILE", "read the text from FILE (\"-\": standard input, the default)"},
    {"--special", "", "special tokens such as <|im_end|> in the text count as themselves"},
    {"--bos", "", "put the begin-of-text token in front if the model wants one"},
    {"--eos", "", "put the end-of-text token behind if the model wants one"},
    {"--null", "", "several texts, separated by NUL bytes; a JSON array a line"},
    {"--pre-tokenizer", "NAME", "split as NAME does, whatever the file says"},
};

using Ids = std::vector<text::TokenId>;

Ids encode(const text::Tokenizer& tokenizer, std::string_view text, const Arguments& args) {
  Ids ids;
  if (args.has("--bos") && tokenizer.add_bos())
    if (const auto bos = tokenizer.bos()) ids.push_back(*bos);
  const auto special =
      args.has("--special") ? text::SpecialTokens::kParse : text::SpecialTokens::kAsText;
  tokenizer.encode(text, special, ids);
  if (args.has("--eos") && tokenizer.add_eos())
    if (const auto eos = tokenizer.eos()) ids.push_back(*eos);
  return ids;
}

Result<std::vector<Ids>> tokenize(const Arguments& args) {
  if (args.has("--text") && args.has("--file"))
    return fail(Code::kInvalid, "give --text or --file, not both");
  std::string text = args.get("--text");
  if (!args.has("--text")) {
    TOPHAND_TRY(read, "read text", read_text_file(args.get("--file", "-")));
    text = std::move(read);
  }
  TOPHAND_TRY(model, "find model", find_model(args.positional[0]));
  TOPHAND_TRY(tokenizer, "load tokenizer",
              engine::load_tokenizer(model.path, args.get("--pre-tokenizer", model.pre_tokenizer)));
  std::vector<Ids> out;
  if (!args.has("--null")) {
    out.push_back(encode(*tokenizer, text, args));
    return out;
  }
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\0', at), text.size());
    out.push_back(encode(*tokenizer, std::string_view(text).substr(at, end - at), args));
    at = end + 1;
  }
  return out;
}

int run(Io& io, const Arguments& args) {
  const auto lists = tokenize(args);
  if (!lists) return report(io, lists.error());
  for (const Ids& ids : *lists) {
    io.out << '[';
    for (std::size_t i = 0; i < ids.size(); ++i) io.out << (i == 0 ? "" : ",") << ids[i];
    io.out << "]\n";
  }
  return 0;
}

}  // namespace

const Command kTokenize{
    .name = "tokenize",
    .arguments = "MODEL",
    .summary = "Print a text's token ids as JSON",
    .help =
        "MODEL is an installed model's name or a GGUF file.\n\n"
        "  tophand tokenize qwen2.5-coder:1.5b --text 'int main() {}'\n",
    .flags = kFlags,
    .positional_min = 1,
    .positional_max = 1,
    .run = run,
};

}  // namespace tophand::cli
