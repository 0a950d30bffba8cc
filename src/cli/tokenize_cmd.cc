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
};

Result<std::vector<text::TokenId>> tokenize(const Arguments& args) {
  if (args.has("--text") && args.has("--file"))
    return fail(Code::kInvalid, "give --text or --file, not both");
  std::string text = args.get("--text");
  if (!args.has("--text")) {
    TOPHAND_TRY(read, "read text", read_text_file(args.get("--file", "-")));
    text = std::move(read);
  }
  TOPHAND_TRY(path, "find model", find_model_file(args.positional[0]));
  TOPHAND_TRY(tokenizer, "load tokenizer", engine::load_tokenizer(path));
  std::vector<text::TokenId> ids;
  if (args.has("--bos") && tokenizer->add_bos() && tokenizer->bos())
    ids.push_back(*tokenizer->bos());
  const auto special =
      args.has("--special") ? text::SpecialTokens::kParse : text::SpecialTokens::kAsText;
  tokenizer->encode(text, special, ids);
  return ids;
}

int run(Io& io, const Arguments& args) {
  const auto ids = tokenize(args);
  if (!ids) return report(io, ids.error());
  io.out << '[';
  for (std::size_t i = 0; i < ids->size(); ++i) io.out << (i == 0 ? "" : ",") << (*ids)[i];
  io.out << "]\n";
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
