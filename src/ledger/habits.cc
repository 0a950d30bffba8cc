#include "ledger/habits.h"

#include <algorithm>
#include <cmath>

namespace tophand::ledger {
namespace {

constexpr std::size_t kClassesMax = 256;  // more are known only together
constexpr std::size_t kWindow = 200;      // of the latest answers, and of pairs
constexpr std::size_t kHalvesMax = 500;
constexpr std::size_t kPaidMin = 5, kPairsMin = 10;  // before a class is believed
constexpr std::int64_t kEstimatesMin = 5;
constexpr double kEwmaWeight = 0.05;  // about the latest 20; a plain mean before there are so many
// One odd request (images, a tool of the provider's) does not upset the rest.
constexpr double kRatioMin = 0.25, kRatioMax = 4;

std::int64_t prompt_of(const TokenCounts& tokens) {
  return tokens.input + tokens.cache_read + tokens.cache_write_5m + tokens.cache_write_1h;
}

void add(TokenCounts& sum, const TokenCounts& more, std::int64_t sign) {
  sum.input += sign * more.input;
  sum.cache_read += sign * more.cache_read;
  sum.cache_write_5m += sign * more.cache_write_5m;
  sum.cache_write_1h += sign * more.cache_write_1h;
  sum.output += sign * more.output;
}

std::int64_t ppm(double ratio) {
  return std::llround(std::clamp(ratio, kRatioMin, kRatioMax) * static_cast<double>(kMillion));
}

std::int64_t share_ppm(std::int64_t part, std::int64_t whole) {
  return static_cast<std::int64_t>(static_cast<double>(part) / static_cast<double>(whole) *
                                   static_cast<double>(kMillion));
}

void note_error(EstimateError& error, std::int64_t estimated, std::int64_t counted, double ratio) {
  const auto real = static_cast<double>(counted);
  const auto corrected = std::llround(static_cast<double>(estimated) * ratio);
  ++error.n;
  error.counted += counted;
  error.estimated += estimated;
  error.corrected += corrected;
  error.relative_error += std::abs(static_cast<double>(estimated) - real) / real;
  error.relative_error_corrected += std::abs(static_cast<double>(corrected) - real) / real;
}

}  // namespace

Habits::OfClass* Habits::named(std::string_view task_class) {
  const auto found = classes_.find(task_class);
  if (found != classes_.end()) return &found->second;
  if (classes_.size() >= kClassesMax) return nullptr;
  return &classes_[std::string(task_class)];
}

void Habits::observe(const AttemptStart& start, const AttemptEnd& end) {
  if (start.purpose == "judge" || end.outcome != AttemptEnd::Outcome::kDone) return;
  observe(Seen{start.request_id, start.task_class, end.counterfactual_basis,
               start.backend == "claude", start.purpose == "shadow", end.tokens,
               end.estimated_tokens});
}

void Habits::observe(const Row& row) {
  const bool answered = row.purpose == "answer" || row.purpose == "shadow";
  if (!answered || row.outcome != "done" || row.state != "settled") return;
  observe(Seen{row.request_id, row.task_class, row.counterfactual_basis, row.backend == "claude",
               row.purpose == "shadow", row.tokens, row.estimated_tokens});
}

void Habits::observe(const Seen& seen) {
  if (seen.claude && prompt_of(seen.tokens) > 0) observe_paid(seen);
  observe_pair(seen);
}

void Habits::observe_paid(const Seen& seen) {
  const Paid paid{seen.tokens, basis_value(seen.basis, "thinking").value_or(0)};
  const std::int64_t counted = prompt_of(seen.tokens);
  const double before = static_cast<double>(of(seen.task_class).tokens_ppm) / kMillion;
  for (OfClass* group : {named(seen.task_class), &all_}) {
    if (group == nullptr) continue;
    group->paid.push_back(paid);
    add(group->sum.tokens, paid.tokens, 1);
    group->sum.thinking += paid.thinking;
    if (group->paid.size() > kWindow) {
      add(group->sum.tokens, group->paid.front().tokens, -1);
      group->sum.thinking -= group->paid.front().thinking;
      group->paid.pop_front();
    }
    if (seen.estimated <= 0) continue;
    note_error(group->error, seen.estimated, counted, before);
    const double ratio = std::clamp(
        static_cast<double>(counted) / static_cast<double>(seen.estimated), kRatioMin, kRatioMax);
    const double weight = std::max(kEwmaWeight, 1 / static_cast<double>(++group->estimates));
    group->tokens_ratio += weight * (ratio - group->tokens_ratio);
  }
}

// Claude's side of a pair is what it counted, less what it thought; the local side is estimated.
void Habits::observe_pair(const Seen& seen) {
  const std::int64_t thinking = basis_value(seen.basis, "thinking").value_or(0);
  Half half{std::string(seen.request_id), {}};
  if (seen.claude) half.answer.claude = std::max<std::int64_t>(0, seen.tokens.output - thinking);
  else half.answer.local = basis_value(seen.basis, "answer").value_or(0);
  std::deque<Half>& others = seen.shadow ? answers_ : shadows_;
  const auto other = std::find_if(others.rbegin(), others.rend(), [&](const Half& one) {
    return one.request_id == seen.request_id;
  });
  if (other == others.rend()) {
    std::deque<Half>& waiting = seen.shadow ? shadows_ : answers_;
    waiting.push_back(std::move(half));
    if (waiting.size() > kHalvesMax) waiting.pop_front();
    return;
  }
  const Pair pair{half.answer.claude + other->answer.claude,
                  half.answer.local + other->answer.local};
  others.erase(std::next(other).base());
  if (pair.claude <= 0 || pair.local <= 0) return;  // two of a kind
  for (OfClass* group : {named(seen.task_class), &all_}) {
    if (group == nullptr) continue;
    group->pairs.push_back(pair);
    group->pair_sum.claude += pair.claude;
    group->pair_sum.local += pair.local;
    if (group->pairs.size() <= kWindow) continue;
    group->pair_sum.claude -= group->pairs.front().claude;
    group->pair_sum.local -= group->pairs.front().local;
    group->pairs.pop_front();
  }
}

Habit Habits::of(std::string_view task_class) const {
  const auto found = classes_.find(task_class);
  const OfClass* own = found == classes_.end() ? nullptr : &found->second;
  const auto pick = [&](auto enough) -> const OfClass* {
    if (own != nullptr && enough(*own)) return own;
    return enough(all_) ? &all_ : nullptr;
  };
  Habit habit;
  if (const auto* group = pick([](const OfClass& g) { return g.estimates >= kEstimatesMin; }))
    habit.tokens_ppm = ppm(group->tokens_ratio);
  if (const auto* group = pick([](const OfClass& g) { return g.paid.size() >= kPaidMin; })) {
    const std::int64_t whole = prompt_of(group->sum.tokens);
    habit.split = group == own ? Habit::Source::kObserved : Habit::Source::kPooled;
    habit.read_ppm = share_ppm(group->sum.tokens.cache_read, whole);
    habit.write_5m_ppm = share_ppm(group->sum.tokens.cache_write_5m, whole);
    habit.write_1h_ppm = share_ppm(group->sum.tokens.cache_write_1h, whole);
    habit.thinking_tokens = group->sum.thinking / static_cast<std::int64_t>(group->paid.size());
  }
  if (const auto* group = pick([](const OfClass& g) { return g.pairs.size() >= kPairsMin; }))
    habit.verbosity_ppm = ppm(static_cast<double>(group->pair_sum.claude) /
                              static_cast<double>(group->pair_sum.local));
  return habit;
}

std::map<std::string, EstimateError> Habits::errors_by_class() const {
  std::map<std::string, EstimateError> out;
  for (const auto& [name, group] : classes_)
    if (group.error.n > 0) out.emplace(name, group.error);
  return out;
}

}  // namespace tophand::ledger
