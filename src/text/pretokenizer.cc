#include "text/pretokenizer.h"

#include <array>

#include "text/base_tokenizer.h"
#include "text/unicode.h"

namespace tophand::text {
namespace {

struct Named {
  std::string_view name;
  PreTokenizer kind;
};

// Several names stand for one expression; the names are those that converters write.
constexpr std::array kNames{
    Named{"llama-bpe", PreTokenizer::kLlama3},
    Named{"llama3", PreTokenizer::kLlama3},
    Named{"llama-v3", PreTokenizer::kLlama3},
    Named{"falcon3", PreTokenizer::kLlama3},
    Named{"falcon-h1", PreTokenizer::kLlama3},
    Named{"pixtral", PreTokenizer::kLlama3},
    Named{"dbrx", PreTokenizer::kDbrx},
    Named{"smaug-bpe", PreTokenizer::kDbrx},
    Named{"qwen2", PreTokenizer::kQwen2},
    Named{"qwen3", PreTokenizer::kQwen2},
    Named{"deepseek-r1-qwen", PreTokenizer::kQwen2},
    Named{"hunyuan", PreTokenizer::kQwen2},
    Named{"stablelm2", PreTokenizer::kQwen2},
    Named{"qwen35", PreTokenizer::kQwen35},
    Named{"smollm", PreTokenizer::kSmolLm},
    Named{"starcoder", PreTokenizer::kSmolLm},
    Named{"refact", PreTokenizer::kSmolLm},
    Named{"command-r", PreTokenizer::kSmolLm},
    Named{"codeshell", PreTokenizer::kSmolLm},
    Named{"exaone", PreTokenizer::kSmolLm},
    Named{"minerva-7b", PreTokenizer::kSmolLm},
    Named{"gpt-2", PreTokenizer::kGpt2},
    Named{"gpt2", PreTokenizer::kGpt2},
    Named{"phi-2", PreTokenizer::kGpt2},
    Named{"mpt", PreTokenizer::kGpt2},
    Named{"olmo", PreTokenizer::kGpt2},
    Named{"default", PreTokenizer::kGpt2},
};

// A position in the text with the code point there already read.
struct Cursor {
  std::string_view text;
  std::size_t at;
  std::uint32_t value = 0;
  std::size_t next = 0;  // where the following code point starts
  CharClass char_class = CharClass::kOther;
  bool end = true;

  Cursor(std::string_view t, std::size_t p) : text(t), at(p) { read(); }
  void read() {
    end = at >= text.size();
    if (end) return;
    const CodePoint found = decode_utf8(text, at);
    value = found.value;
    next = at + found.bytes;
    char_class = classify(value);
  }
  void advance() {
    at = next;
    read();
  }
  bool is(CharClass wanted) const { return !end && char_class == wanted; }
  bool is_newline() const { return !end && (value == '\r' || value == '\n'); }
};

// Past every code point from `c` on for which `wanted` holds.
template <class Predicate>
std::size_t run_end(Cursor c, Predicate wanted) {
  while (!c.end && wanted(c)) c.advance();
  return c.at;
}

char lower_if(char c, bool fold) {
  return fold && c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// '(s|t|re|ve|m|ll|d), with letters of either case when `fold`. 0: no match, else its bytes. Of
// all code points, only U+017F folds to one of these letters: to s.
std::size_t contraction_bytes(std::string_view text, std::size_t at, bool fold) {
  if (text[at] != '\'' || at + 1 >= text.size()) return 0;
  constexpr std::string_view kLongS = "\xC5\xBF";
  if (fold && text.substr(at + 1).starts_with(kLongS)) return 1 + kLongS.size();
  const char first = lower_if(text[at + 1], fold);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
  if (at + 2 >= text.size()) return 0;
  const char second = lower_if(text[at + 2], fold);
  const bool matches = (first == 'r' && second == 'e') || (first == 'v' && second == 'e') ||
                       (first == 'l' && second == 'l');
  return matches ? 3 : 0;
}

// \s+(?!\S)|\s+ : the run of white space, less its last code point when something else follows.
// `ends_run` says whether what follows counts as the end of the text.
template <class EndsRun>
std::size_t white_space_end(Cursor c, EndsRun ends_run) {
  std::size_t last = c.at;
  const std::size_t start = c.at;
  while (c.is(CharClass::kSpace)) {
    last = c.at;
    c.advance();
  }
  return ends_run(c) || last == start ? c.at : last;
}

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// `isolate_numbers`: \p{N} was split off in a pass before, so a number is a piece by itself and
// ends the text for everything before it.
std::size_t gpt2_end(std::string_view text, std::size_t at, bool isolate_numbers) {
  const Cursor c(text, at);
  if (isolate_numbers && c.is(CharClass::kNumber)) return c.next;
  if (const std::size_t n = contraction_bytes(text, at, /*fold=*/false)) return at + n;
  Cursor body = c;
  if (c.value == ' ') body.advance();
  const auto number_ends = [&](const Cursor& x) {
    return x.end || (isolate_numbers && x.is(CharClass::kNumber));
  };
  if (!number_ends(body) && !body.is(CharClass::kSpace)) {
    if (body.is(CharClass::kLetter))
      return run_end(body, [](const Cursor& x) { return x.is(CharClass::kLetter); });
    if (body.is(CharClass::kNumber))
      return run_end(body, [](const Cursor& x) { return x.is(CharClass::kNumber); });
    return run_end(
        body, [](const Cursor& x) { return x.is(CharClass::kOther) || x.is(CharClass::kMark); });
  }
  return white_space_end(c, number_ends);
}

struct Llama3Rules {
  std::size_t digits_max;  // of one number piece
  bool marks_are_letters;  // [\p{L}\p{M}]+ instead of \p{L}+
};

// '(?i:s|t|re|ve|m|ll|d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|
// \s*[\r\n]+|\s+(?!\S)|\s+
std::size_t llama3_end(std::string_view text, std::size_t at, Llama3Rules rules) {
  const Cursor c(text, at);
  if (const std::size_t n = contraction_bytes(text, at, /*fold=*/true)) return at + n;

  const auto is_word = [&](const Cursor& x) {
    return x.is(CharClass::kLetter) || (rules.marks_are_letters && x.is(CharClass::kMark));
  };
  const auto is_symbol = [&](const Cursor& x) {
    return x.is(CharClass::kOther) || (!rules.marks_are_letters && x.is(CharClass::kMark));
  };
  if (is_word(c)) return run_end(c, is_word);
  Cursor after = c;
  after.advance();
  if (!c.is_newline() && !c.is(CharClass::kNumber) && is_word(after))
    return run_end(after, is_word);

  if (c.is(CharClass::kNumber)) {
    std::size_t digits = 0;
    return run_end(c, [&](const Cursor& x) {
      return x.is(CharClass::kNumber) && digits++ < rules.digits_max;
    });
  }
  if (is_symbol(c) || (c.value == ' ' && is_symbol(after))) {
    const std::size_t end = run_end(is_symbol(c) ? c : after, is_symbol);
    return run_end(Cursor(text, end), [](const Cursor& x) { return x.is_newline(); });
  }
  std::size_t after_newline = at;  // \s*[\r\n]+ ends after the last newline of the run
  run_end(c, [&](const Cursor& x) {
    if (x.is_newline()) after_newline = x.next;
    return x.is(CharClass::kSpace);
  });
  if (after_newline > at) return after_newline;
  return white_space_end(c, [](const Cursor& x) { return x.end; });
}

}  // namespace

Result<PreTokenizer> pre_tokenizer_by_name(std::string_view name) {
  std::string known;
  for (const Named& row : kNames) {
    if (row.name == name) return row.kind;
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  return fail(Code::kInvalid, "unknown pre-tokenizer " + quoted(name) + "; known are " + known +
                                  "; [models.pre_tokenizers] in the configuration names "
                                  "one of these for the model");
}

std::string_view pre_tokenizer_when_absent(std::size_t vocabulary_size) {
  constexpr std::size_t kLlama3Vocabulary = 128'256;
  return vocabulary_size == kLlama3Vocabulary ? "llama-bpe" : "default";
}

std::size_t piece_end(PreTokenizer kind, std::string_view text, std::size_t at) {
  switch (kind) {
    case PreTokenizer::kGpt2:
      return gpt2_end(text, at, false);
    case PreTokenizer::kSmolLm:
      return gpt2_end(text, at, true);
    case PreTokenizer::kLlama3:
    case PreTokenizer::kDbrx:
      return llama3_end(text, at, {3, false});
    case PreTokenizer::kQwen2:
      return llama3_end(text, at, {1, false});
    case PreTokenizer::kQwen35:
      return llama3_end(text, at, {1, true});
  }
  return text.size();
}

}  // namespace tophand::text
