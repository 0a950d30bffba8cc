#include "text/base_tokenizer.h"

#include <algorithm>
#include <array>

#include "text/unicode.h"

namespace tophand::text {
namespace {

// Texts of tokens that end an answer whatever the file's eos says: every family's own end-of-turn,
// and the file-level markers after which code models start an unrelated file.
constexpr std::array<std::string_view, 23> kEndOfGeneration{
    "<|eot_id|>",   "<|im_end|>",    "<|end|>",         "<|return|>",
    "<|call|>",     "<end_of_turn>", "<|endoftext|>",   "</s>",
    "<|eom_id|>",   "<EOT>",         "<|end_of_text|>", "<｜end▁of▁sentence｜>",
    "<|fim_pad|>",  "<fim-pad>",     "<fim_pad>",       "<PAD>",
    "<|fim_repo|>", "<|repo_name|>", "<fim-repo>",      "<REPO>",
    "<reponame>",   "<|file_sep|>",  "_<EOT>"};

}  // namespace

std::string quoted(std::string_view text) {
  constexpr std::size_t kBytesMax = 64;
  std::string out = "\"";
  for (const char c : text.substr(0, kBytesMax)) out += c >= ' ' && c < 127 ? c : '?';
  if (text.size() > kBytesMax) out += "...";
  return out + "\"";
}

void BaseTokenizer::build_vocabulary() {
  ids_.reserve(spec_.tokens.size());
  for (TokenId id = 0; id < vocabulary_size(); ++id) ids_.insert_or_assign(token(id), id);
  for (TokenId id = 0; id < vocabulary_size(); ++id) {
    if (!is_special(id) || token(id).empty()) continue;
    specials_.add(token(id), id, type(id) != TokenType::kUserDefined);
  }
  for (const auto& id : {spec_.eos, spec_.eot, spec_.eom})
    if (id) ends_.push_back(*id);
  // Only special tokens: "</s>" is an ordinary piece of HTML in vocabularies that do not use it.
  for (const std::string_view text : kEndOfGeneration)
    if (const auto id = find(text); id && is_special(*id)) ends_.push_back(*id);
  std::sort(ends_.begin(), ends_.end());
}

bool BaseTokenizer::is_end_of_generation(TokenId id) const {
  return std::binary_search(ends_.begin(), ends_.end(), id);
}

// Goes over a prompt's stretches, gathers plain text and hands it on at each special token.
class BaseTokenizer::Walk {
 public:
  Walk(const BaseTokenizer& tokenizer, std::vector<TokenId>& out)
      : tokenizer_(tokenizer), merger_(tokenizer.merges_), out_(out) {}

  void add(std::string_view text, bool with_control) {
    std::size_t copied = 0;
    for (std::size_t at = 0; at < text.size();) {
      if (in_white_space_) {
        const CodePoint c = decode_utf8(text, at);
        if (classify(c.value) == CharClass::kSpace) {
          copied = at += c.bytes;
          continue;
        }
        in_white_space_ = false;
      }
      const auto match = tokenizer_.specials_.at(text, at, with_control);
      if (!match) {
        ++at;
        continue;
      }
      plain_ += text.substr(copied, at - copied);
      const Neighbour kind = match->control ? Neighbour::kControl : Neighbour::kUserDefined;
      flush(kind);
      out_.push_back(match->id);
      before_ = kind;
      in_white_space_ = tokenizer_.takes_white_space(match->id);
      copied = at += match->bytes;
    }
    plain_ += text.substr(copied);
  }
  void finish() { flush(Neighbour::kEdge); }

 private:
  void flush(Neighbour after) {
    tokenizer_.encode_plain(plain_, before_, after, merger_, out_);
    plain_.clear();
  }

  const BaseTokenizer& tokenizer_;
  BpeMerger merger_;
  std::vector<TokenId>& out_;
  std::string plain_;
  Neighbour before_ = Neighbour::kEdge;
  bool in_white_space_ = false;  // behind a token that takes it
};

void BaseTokenizer::encode(std::string_view text, SpecialTokens special,
                           std::vector<TokenId>& out) const {
  Walk walk(*this, out);
  walk.add(text, special == SpecialTokens::kParse);
  walk.finish();
}

void BaseTokenizer::encode(std::span<const Segment> segments, std::vector<TokenId>& out) const {
  Walk walk(*this, out);
  for (const Segment& segment : segments) walk.add(segment.text, segment.trusted);
  walk.finish();
}

std::string BaseTokenizer::piece(TokenId id, bool show_control) const {
  if (!in_range(id)) return {};
  switch (type(id)) {
    case TokenType::kControl:
    case TokenType::kUnknown:
      return show_control ? token(id) : std::string();
    case TokenType::kUserDefined:
      return token(id);
    case TokenType::kUnused:
      return {};
    default:
      return plain_bytes(id);
  }
}

std::string BaseTokenizer::decode(std::span<const TokenId> ids) const {
  std::string out;
  bool first_word = marks_first_word();
  for (const TokenId id : ids) {
    const std::string bytes = piece(id, true);
    const bool control = in_range(id) && is_special(id) && type(id) != TokenType::kUserDefined;
    const bool marked = first_word && !control && bytes.starts_with(' ');
    out += std::string_view(bytes).substr(marked ? 1 : 0);
    first_word = control ? marks_first_word() : first_word && bytes.empty();
  }
  return out;
}

}  // namespace tophand::text
