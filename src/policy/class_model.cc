#include "policy/class_model.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/assert.h"
#include "policy/class_learning.h"
#include "policy/class_rules.h"

namespace tophand::policy {
namespace {

// A mark is taken for certain, but for what the held-out set has of it (docs/routing.md).
constexpr double kMarkConfidence = 0.97;

std::string percent(double share) {
  return std::to_string(static_cast<int>(std::lround(100 * share))) + " %";
}

}  // namespace

ClassScores softmax(const ClassScores& log_odds) {
  ClassScores out{};
  const double top = *std::ranges::max_element(log_odds);
  double sum = 0;
  for (std::size_t c = 0; c < kTaskClasses; ++c) sum += out[c] = std::exp(log_odds[c] - top);
  for (double& share : out) share /= sum;
  return out;
}

ClassScores ClassModel::score(const ClassFeatures& features) const {
  ClassScores out = bias_;
  for (std::size_t g = 0; g < ClassFeatures::kGroups; ++g) {
    std::array<std::int32_t, kColumns> sums{};
    for (const std::uint16_t bucket : features.group(g)) {
      const std::int8_t* row = &weights_[bucket * kColumns];
      for (std::size_t c = 0; c < kColumns; ++c) sums[c] += row[c];
    }
    const double value = features.value(g) * scale_;
    for (std::size_t c = 0; c < kTaskClasses; ++c) out[c] += value * sums[c];
  }
  return out;
}

const ClassModel& ClassModel::built_in() {
  static const ClassModel model = [] {
    auto parsed = parse(class_weights());
    TOPHAND_ASSERT(parsed.has_value());  // a test reads it
    return std::move(*parsed);
  }();
  return model;
}

Guess infer_class(const ClassFacts& facts, const ClassModel& model, const Beside& beside) {
  if (facts.user.empty() && !facts.tool_result_last) return {.why = "there is no text of a user"};
  if (const auto mark = marked_class(facts))
    return {std::string(class_name(mark->task_class)), kMarkConfidence, std::string(mark->why)};
  ClassFeatures features;
  extract_features(facts, features);
  ClassScores log_odds = model.score(features);
  const ClassScores learned =
      beside.learned != nullptr ? beside.learned->score(features) : ClassScores{};
  for (std::size_t c = 0; c < kTaskClasses; ++c) log_odds[c] += learned[c] + beside.prior[c];
  const ClassScores shares = softmax(log_odds);
  const auto top = static_cast<std::size_t>(std::ranges::max_element(shares) - shares.begin());
  Guess guess{.confidence = shares[top]};
  const std::string_view name = class_name(static_cast<TaskClass>(top));
  if (guess.confidence < model.threshold() || name.empty()) {
    guess.why = name.empty() ? "its words fit no class"
                             : "its words fit " + std::string(name) + " best, at " +
                                   percent(guess.confidence) + ", too little";
    return guess;
  }
  guess.task_class = name;
  guess.why = "its words";
  return guess;
}

}  // namespace tophand::policy
