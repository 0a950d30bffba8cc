// Any bytes as the texts of a request whose class is inferred: a guess in bounds, the same each
// time, of features no longer than the bound on what may be learned stands on.
#include <algorithm>
#include <bitset>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "policy/class_model.h"

namespace {

using namespace tophand::policy;

void check_features(const ClassFacts& facts) {
  static ClassFeatures features;  // with what was there before
  extract_features(facts, features);
  std::bitset<kFeatureBuckets> seen;
  double length = 0;
  for (std::size_t g = 0; g < ClassFeatures::kGroups; ++g) {
    const double value = features.value(g);
    for (const std::uint16_t bucket : features.group(g)) {
      TOPHAND_ASSERT(bucket < kFeatureBuckets && !seen[bucket]);
      seen[bucket] = true;
      length += value * value;
    }
  }
  TOPHAND_ASSERT(length <= 1 + 1e-9);
}

// "for people; lower case, printable ASCII".
bool is_plain(std::string_view why) {
  return std::ranges::all_of(
      why, [](char c) { return c >= ' ' && c < 0x7f && !(c >= 'A' && c <= 'Z'); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const auto next = [&] {  // up to the next zero byte
    const std::string_view part = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(part.size() == rest.size() ? part.size() : part.size() + 1);
    return part;
  };
  ClassFacts facts;
  facts.system = next();
  facts.answer_schema = next();
  facts.tools = {next(), next()};
  while (!rest.empty() && facts.user.size() < 8) facts.user.push_back(next());
  facts.messages = static_cast<std::int64_t>(size) - 100;
  facts.prompt_tokens = -facts.messages;
  facts.tool_result_last = size % 2 == 1;
  check_features(facts);
  const Guess guess = infer_class(facts, ClassModel::built_in());
  TOPHAND_ASSERT(guess.confidence >= 0 && guess.confidence <= 1);
  TOPHAND_ASSERT(guess.task_class.empty() || class_named(guess.task_class).has_value());
  TOPHAND_ASSERT(!guess.why.empty() && is_plain(guess.why));
  const Guess again = infer_class(facts, ClassModel::built_in());
  TOPHAND_ASSERT(again.task_class == guess.task_class && again.confidence == guess.confidence);
  return 0;
}
