#include "policy/class_features.h"

#include <algorithm>
#include <array>
#include <bit>
#include <bitset>
#include <cmath>

namespace tophand::policy {
namespace {

// What is read of each text. An instruction stands at the start or the end of a long message.
constexpr std::size_t kSystemBytes = 320;
constexpr std::size_t kHeadBytes = 640;
constexpr std::size_t kTailBytes = 384;
constexpr std::size_t kBlocksMax = 2;  // of a user message: its first and its last
constexpr std::size_t kToolsMax = 16;
constexpr std::size_t kToolNameBytes = 32;

// A field's n-grams are apart from those of the others.
enum class Field : std::uint8_t {
  kSystem = 1,
  kUser,
  kWord,
  kPair,
  kOpening,
  kTool,
  kMark,
  kLineCharacters,
  kLineWord
};

// 2^64 over the golden ratio: multiplicative hashing takes the upper bits (Knuth, vol. 3, 6.4).
constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15;
constexpr int kBucketBits = std::countr_zero(kFeatureBuckets);

std::uint16_t bucket_of(Field field, std::uint64_t key) {
  const std::uint64_t mixed = (key ^ (static_cast<std::uint64_t>(field) << 56)) * kGolden;
  return static_cast<std::uint16_t>(mixed >> (64 - kBucketBits));
}

// Capitals, digits and the width of white space say little of what is wanted. A table: every byte
// of a request passes here.
constexpr auto kPlain = [] {
  std::array<unsigned char, 256> out{};
  for (unsigned c = 0; c < out.size(); ++c) {
    out[c] = static_cast<unsigned char>(c);
    if (c >= 'A' && c <= 'Z') out[c] = static_cast<unsigned char>(c - 'A' + 'a');
    if (c >= '0' && c <= '9') out[c] = '0';
    if (c == '\t' || c == '\n' || c == '\r') out[c] = ' ';
  }
  return out;
}();

unsigned char plain(char c) {
  return kPlain[static_cast<unsigned char>(c)];
}

constexpr auto kInWord = [] {
  std::array<bool, 256> out{};
  for (unsigned c = 0; c < out.size(); ++c)
    out[c] = (c >= 'a' && c <= 'z') || c == '0' || c == '_' || c >= 0x80;
  return out;
}();

class Collector {
 public:
  explicit Collector(ClassFeatures& out) : out_(out) {}

  // Written out in the loops over bytes, though the room is built to be small (COMPACT).
  [[gnu::always_inline]] void add(Field field, std::uint64_t key) {
    const std::uint16_t bucket = bucket_of(field, key);
    if (seen_[bucket] || count_ == ClassFeatures::kMax) return;
    seen_[bucket] = true;
    out_.buckets[count_++] = bucket;
  }
  void end_group(std::size_t index) { out_.ends[index] = count_; }

 private:
  ClassFeatures& out_;
  std::bitset<kFeatureBuckets> seen_;
  std::size_t count_ = 0;
};

// Runs of four characters: those of three and five beside them say no more (docs/routing.md), and
// cost as much again each.
void add_characters(std::string_view text, Field field, Collector& out) {
  std::uint32_t last_four = 0;
  std::size_t length = 0;
  unsigned char before = ' ';
  for (const char raw : text) {
    const unsigned char c = plain(raw);
    if (c == ' ' && before == ' ') continue;
    before = c;
    last_four = last_four << 8 | c;
    if (++length >= 4) out.add(field, last_four);
  }
}

// Words, pairs of neighbours, and the first words once more as such: commands begin with a verb.
void add_words(std::string_view text, Field field, Collector& out) {
  constexpr std::size_t kOpeningWords = 3;
  constexpr std::uint64_t kFnvBasis = 0xCBF29CE484222325, kFnvPrime = 0x100000001B3;
  std::uint64_t word = kFnvBasis, before = 0;
  std::size_t count = 0;
  const auto close = [&] {
    if (word == kFnvBasis) return;
    out.add(field, word);
    if (before != 0) out.add(Field::kPair, before * 31 + word);
    if (field == Field::kWord && count < kOpeningWords) out.add(Field::kOpening, word);
    ++count;
    before = word;
    word = kFnvBasis;
  };
  for (const char raw : text) {
    const unsigned char c = plain(raw);
    if (kInWord[c]) word = (word ^ c) * kFnvPrime;
    else close();
  }
  close();
}

// Where a text is longer than the two slices, what lies between them is not read.
template <class Take>
void for_slices(std::string_view text, Take take) {
  if (text.size() <= kHeadBytes + kTailBytes) return take(text);
  take(text.substr(0, kHeadBytes));
  take(text.substr(text.size() - kTailBytes));
}

template <class Take>
void for_user_slices(const ClassFacts& facts, Take take) {
  if (facts.user.empty()) return;
  for_slices(facts.user.front(), take);
  static_assert(kBlocksMax == 2);
  if (facts.user.size() > 1) for_slices(facts.user.back(), take);
}

// Powers of four: 0 to 3, 4 to 15, ...
std::uint64_t size_step(std::int64_t n) {
  return static_cast<std::uint64_t>(
      std::bit_width(static_cast<std::uint64_t>(std::max<std::int64_t>(n, 0))) / 2);
}

// The instruction, where material follows or precedes it.
void add_lines(const ClassFacts& facts, Collector& out) {
  if (facts.user.empty()) return;
  constexpr std::size_t kLineBytes = 160;
  const std::string_view first = facts.user.front(), last = facts.user.back();
  const std::string_view opening = first.substr(0, std::min(first.find('\n'), kLineBytes));
  std::string_view closing = last.substr(last.size() - std::min(last.size(), kLineBytes));
  if (const std::size_t end = closing.rfind('\n'); end != std::string_view::npos)
    closing.remove_prefix(end + 1);
  for (const std::string_view line : {opening, closing}) {
    add_characters(line, Field::kLineCharacters, out);
    add_words(line, Field::kLineWord, out);
  }
}

void add_marks(const ClassFacts& facts, Collector& out) {
  enum : std::uint64_t {
    kMessages = 1,
    kTokens,
    kTools,
    kSchema,
    kAsks,
    kFence,
    kHunk,
    kSystem,
    kShort
  };
  const auto mark = [&](std::uint64_t name, std::uint64_t value) {
    out.add(Field::kMark, name << 32 | value);
  };
  const std::string_view first = facts.user.empty() ? "" : facts.user.front();
  const std::string_view last = facts.user.empty() ? "" : facts.user.back();
  const std::string_view head = first.substr(0, kHeadBytes);
  const std::string_view tail = last.substr(last.size() - std::min(last.size(), kTailBytes));
  const auto either = [&](std::string_view what) {
    return head.find(what) != std::string_view::npos || tail.find(what) != std::string_view::npos;
  };
  mark(kMessages, std::min<std::uint64_t>(size_step(facts.messages), 3));
  mark(kTokens, std::min<std::uint64_t>(size_step(facts.prompt_tokens), 8));
  mark(kTools, facts.tools.empty() ? 0 : 1);
  mark(kSchema, facts.answer_schema.empty() ? 0 : 1);
  mark(kSystem, facts.system.empty() ? 0 : 1);
  mark(kAsks, either("?") ? 1 : 0);
  mark(kFence, either("```") ? 1 : 0);
  mark(kHunk, either("\n@@ ") || either("diff --git") ? 1 : 0);
  mark(kShort, std::min<std::uint64_t>(size_step(static_cast<std::int64_t>(last.size())), 6));
}

}  // namespace

std::span<const std::uint16_t> ClassFeatures::group(std::size_t index) const {
  const std::size_t from = index == 0 ? 0 : ends[index - 1];
  return {buckets.data() + from, ends[index] - from};
}

double ClassFeatures::value(std::size_t index) const {
  const std::size_t size = group(index).size();
  return size == 0 ? 0 : 1 / std::sqrt(static_cast<double>(kGroups * size));
}

void extract_features(const ClassFacts& facts, ClassFeatures& out) {
  Collector collector(out);
  const std::string_view system = facts.system.substr(0, kSystemBytes);
  add_characters(system, Field::kSystem, collector);
  for_user_slices(facts,
                  [&](std::string_view slice) { add_characters(slice, Field::kUser, collector); });
  collector.end_group(0);
  add_words(system, Field::kSystem, collector);
  for_user_slices(facts,
                  [&](std::string_view slice) { add_words(slice, Field::kWord, collector); });
  for (std::size_t i = 0; i < std::min(facts.tools.size(), kToolsMax); ++i)
    add_words(facts.tools[i].substr(0, kToolNameBytes), Field::kTool, collector);
  collector.end_group(1);
  add_lines(facts, collector);
  collector.end_group(2);
  add_marks(facts, collector);
  collector.end_group(3);
}

}  // namespace tophand::policy
