// What the class model sees of a request: numbers of hashed n-grams. Pure and bounded: it reads
// slices of the texts, allocates nothing, and takes any bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace tophand::policy {

// The views live as long as the request.
struct ClassFacts {
  std::string_view system = {};              // the first system text
  std::vector<std::string_view> user = {};   // text blocks of the last user message, in order
  std::vector<std::string_view> tools = {};  // names
  std::string_view answer_schema = {};       // of a structured answer, "" when none is asked
  std::int64_t messages = 0;                 // without system text
  std::int64_t prompt_tokens = 0;            // estimated
  bool tool_result_last = false;             // the last thing that came is a tool's result
};

inline constexpr std::size_t kFeatureBuckets = 1 << 14;

// Distinct buckets in four groups: character n-grams, words, those of the first and the last line,
// and marks of the request's shape. As a vector each group has length 1/2, so the whole has at most
// length 1 whatever the text: a bound on a change of weights is one on any text's log-odds.
struct ClassFeatures {
  static constexpr std::size_t kGroups = 4;
  static constexpr std::size_t kMax = 8192;
  std::array<std::uint16_t, kMax> buckets;
  std::array<std::size_t, kGroups> ends{};  // of each group in `buckets`

  std::span<const std::uint16_t> group(std::size_t index) const;
  double value(std::size_t index) const;  // of each member of a group
};

void extract_features(const ClassFacts& facts, ClassFeatures& out);

}  // namespace tophand::policy
