#include "pacing_replay.h"

#include <algorithm>
#include <cmath>

namespace tophand::simulation {
namespace {

constexpr std::int64_t kMonday = 1'789'344'000'000;  // 2026-09-14 00:00 UTC
constexpr std::size_t kHardClass = kClasses.size() - 1;

// P(the local answer is right | the verifier rejected it).
double after_rejection(double p) {
  const double missed = p * (1 - kVerifierTpr);
  return missed / (missed + (1 - p) * (1 - kVerifierFpr));
}

double all_hard_quality(const std::vector<Task>& week) {
  double sum = 0;
  for (const Task& task : week)
    sum += kClasses[task.cls].weight *
           kClasses[task.cls].p_tier[static_cast<std::size_t>(policy::Tier::kHard)];
  return sum;
}

// One policy's week in progress.
class Week {
 public:
  Week(const PolicyRow& row, SpendPolicy& policy, double budget, std::int64_t start_ms)
      : row_(row), policy_(policy), budget_(budget), start_ms_(start_ms) {}

  void meet(const Task& task) {
    const std::int64_t now_ms = start_ms_ + task.at_ms;
    look_ahead(task.at_ms);
    policy_.asked(now_ms, {.usd = task.cost, .high_priority = task.high});
    const double success = answer(task, now_ms);
    quality_ += kClasses[task.cls].weight * success;
    if (task.cls == kHardClass && task.at_ms >= 5 * 24 * kHourMs) {
      outcome_.hard_success_last_2d += success;
      ++outcome_.hard_last_2d;
    }
    if (task.at_ms < 48 * kHourMs) outcome_.used_48h = spent_ / budget_;
    if (task.high) ++outcome_.high;
  }
  WeekOutcome end(const std::vector<Task>& tasks) {
    look_ahead(kWeekMs);
    outcome_.budget = budget_;
    outcome_.quality = quality_ / all_hard_quality(tasks);
    outcome_.used = spent_ / budget_;
    if (outcome_.hard_last_2d > 0)
      outcome_.hard_success_last_2d /= static_cast<double>(outcome_.hard_last_2d);
    return outcome_;
  }

 private:
  // What was shown at the hours that have passed before `at_ms`.
  void look_ahead(std::int64_t at_ms) {
    for (; looks_ < kForecastHours.size() && kForecastHours[looks_] * kHourMs <= at_ms; ++looks_)
      outcome_.forecasts[looks_] =
          policy_.forecast(start_ms_ + kForecastHours[looks_] * kHourMs, spent_);
  }
  // The chance that the answer is right; 0 or 1 where the draw is known.
  double answer(const Task& task, std::int64_t now_ms) {
    const TaskClass& cls = kClasses[task.cls];
    double p_local = std::clamp(cls.p_local + task.noise, 0.01, 0.99);
    // High priority waits for no local attempt, and the hard class does not begin with one.
    if (row_.cascade && cls.local_first && !task.high) {
      if (task.verifier_passes) return task.local_right ? 1 : 0;
      p_local = after_rejection(p_local);
    }
    const policy::Tier tier =
        policy_.choose({.task = &task, .now_ms = now_ms, .p_local = p_local, .spent = spent_});
    if (tier == policy::Tier::kLocal) return task.local_right ? 1 : 0;
    const auto index = static_cast<std::size_t>(tier);
    return pay(task, task.cost * kRelativePrice[index]) ? cls.p_tier[index]
           : task.local_right                           ? 1
                                                        : 0;
  }
  // The ledger's part: the cap is hard.
  bool pay(const Task& task, double cost) {
    if (spent_ + cost > budget_) {
      if (!outcome_.dry_day)
        outcome_.dry_day = static_cast<double>(task.at_ms) / static_cast<double>(24 * kHourMs);
      if (task.high) ++outcome_.high_refused;
      return false;
    }
    spent_ += cost;
    const std::int64_t hour = task.at_ms / kHourMs;
    if (hour != hour_) hour_spend_ = 0;
    hour_ = hour;
    hour_spend_ += cost / budget_;
    outcome_.hour_spend_max = std::max(outcome_.hour_spend_max, hour_spend_);
    return true;
  }

  const PolicyRow& row_;
  SpendPolicy& policy_;
  const double budget_;
  const std::int64_t start_ms_;
  double spent_ = 0, quality_ = 0, hour_spend_ = 0;
  std::int64_t hour_ = -1;
  std::size_t looks_ = 0;
  WeekOutcome outcome_;
};

}  // namespace

std::vector<WeekOutcome> replay(const PolicyRow& row, const Replay& weeks) {
  const std::unique_ptr<SpendPolicy> policy = row.make();
  std::vector<WeekOutcome> outcomes;
  for (std::size_t i = 0; i < weeks.weeks.size(); ++i) {
    const std::int64_t start_ms = kMonday + static_cast<std::int64_t>(i) * kWeekMs;
    policy->begin_week(start_ms, weeks.budgets[i]);
    Week week(row, *policy, weeks.budgets[i], start_ms);
    for (const Task& task : weeks.weeks[i]) week.meet(task);
    outcomes.push_back(week.end(weeks.weeks[i]));
  }
  return outcomes;
}

// The local model answers what it gets right; the rest is bought in the order of worth a cost.
double hindsight_quality(const std::vector<Task>& week, double budget) {
  double quality = 0;
  std::vector<const Task*> wrong;
  const auto worth = [](const Task& task) {
    return kClasses[task.cls].weight * kClasses[task.cls].p_tier.back();
  };
  for (const Task& task : week) {
    if (task.local_right) quality += kClasses[task.cls].weight;
    else wrong.push_back(&task);
  }
  std::ranges::sort(wrong, std::greater<>{},
                    [&](const Task* task) { return worth(*task) / task->cost; });
  for (const Task* task : wrong) {
    if (task->cost > budget) continue;
    budget -= task->cost;
    quality += worth(*task);
  }
  return quality / all_hard_quality(week);
}

Summary summarise(const std::vector<WeekOutcome>& outcomes) {
  Summary sum;
  sum.weeks = outcomes.size();
  const double n = static_cast<double>(outcomes.size());
  std::vector<double> dry_days;
  std::size_t with_hard = 0;
  for (const WeekOutcome& week : outcomes) {
    sum.quality += week.quality / n;
    sum.used_48h += week.used_48h / n;
    sum.used += week.used / n;
    sum.hour_spend_max = std::max(sum.hour_spend_max, week.hour_spend_max);
    if (week.hard_last_2d > 0) {
      sum.hard_success_last_2d += week.hard_success_last_2d;
      ++with_hard;
    }
    sum.high += week.high;
    sum.high_refused += week.high_refused;
    if (week.high_refused > 0) ++sum.weeks_refused;
    if (week.dry_day) dry_days.push_back(*week.dry_day);
    if (week.dry_day && *week.dry_day < 6) sum.dry_before_day_6 += 1 / n;
  }
  if (with_hard > 0) sum.hard_success_last_2d /= static_cast<double>(with_hard);
  std::ranges::sort(dry_days);
  if (2 * dry_days.size() > outcomes.size()) sum.dry_day = dry_days[outcomes.size() / 2];
  return sum;
}

std::vector<Replay> draw_all(const std::vector<ClientTrace>& traces, const Experiment& experiment) {
  std::vector<Replay> replays;
  WeekShape plain = experiment.shape;
  plain.shock = 1;
  for (std::size_t i = 0; i < traces.size(); ++i) {
    Replay replay{.load = experiment.load};
    for (std::int64_t week = 0; week < 2; ++week) {
      const double* hours = traces[i].hours.data() + week * kWeekHours;
      SplitMix64 random(experiment.seed * 1'000'003 + i * 2 + static_cast<std::size_t>(week));
      SplitMix64 again = random;
      // The budget does not know of the shock.
      replay.budgets.push_back(demand_of(draw_week(hours, plain, again)) / experiment.load);
      replay.weeks.push_back(draw_week(hours, week == 0 ? plain : experiment.shape, random));
    }
    replays.push_back(std::move(replay));
  }
  return replays;
}

std::array<Coverage, kForecastHours.size()> coverage(const std::vector<WeekOutcome>& outcomes) {
  std::array<Coverage, kForecastHours.size()> out;
  for (const WeekOutcome& week : outcomes)
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto& shown = week.forecasts[i];
      if (!shown || week.budget <= 0) continue;
      const double truth = week.used * week.budget, slack = 1e-9 * week.budget;
      ++out[i].shown;
      if (truth < shown->low - slack) ++out[i].below;
      else if (truth > shown->high + slack) ++out[i].above;
      else ++out[i].inside;
      out[i].width += (shown->high - shown->low) / week.budget;
      out[i].off += std::abs(shown->expected - truth) / week.budget;
    }
  for (Coverage& sum : out) {
    const double n = static_cast<double>(std::max<std::size_t>(1, sum.shown));
    sum.width /= n;
    sum.off /= n;
  }
  return out;
}

std::vector<WeekOutcome> outcomes_of(const PolicyRow& row, const std::vector<Replay>& replays,
                                     std::size_t first_week) {
  std::vector<WeekOutcome> measured;
  for (const Replay& weeks : replays) {
    const std::vector<WeekOutcome> outcomes = replay(row, weeks);
    measured.insert(measured.end(), outcomes.begin() + static_cast<std::ptrdiff_t>(first_week),
                    outcomes.end());
  }
  return measured;
}

Summary run(const PolicyRow& row, const std::vector<Replay>& replays, std::size_t first_week) {
  return summarise(outcomes_of(row, replays, first_week));
}

double run_hindsight(const std::vector<Replay>& replays, std::size_t first_week) {
  double sum = 0;
  std::size_t count = 0;
  for (const Replay& weeks : replays)
    for (std::size_t i = first_week; i < weeks.weeks.size(); ++i, ++count)
      sum += hindsight_quality(weeks.weeks[i], weeks.budgets[i]);
  return sum / static_cast<double>(count);
}

}  // namespace tophand::simulation
