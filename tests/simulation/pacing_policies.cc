#include "pacing_policies.h"

#include <algorithm>
#include <deque>

#include "base/assert.h"

namespace tophand::simulation {
namespace {

using policy::Tier;

// Everything is sent while there is money: what a team has without pacing.
class Greedy : public SpendPolicy {
 public:
  void begin_week(std::int64_t, double) override {}
  Tier choose(const Question&) override { return Tier::kHard; }
};

// The routine class is always local.
class Static final : public Greedy {
 public:
  Tier choose(const Question& question) override {
    return question.task->cls == 0 ? Tier::kLocal : Tier::kHard;
  }
};

// Fills evenly over the week; at most twelve hours of it may be saved up.
class TokenBucket final : public SpendPolicy {
 public:
  void begin_week(std::int64_t start_ms, double budget) override {
    rate_ = budget / static_cast<double>(kWeekMs);
    level_ = 12 * static_cast<double>(kHourMs) * rate_;
    at_ms_ = start_ms;
  }
  Tier choose(const Question& question) override {
    const double most = 12 * static_cast<double>(kHourMs) * rate_;
    level_ = std::min(most, level_ + rate_ * static_cast<double>(question.now_ms - at_ms_));
    at_ms_ = question.now_ms;
    if (level_ < question.task->cost) return Tier::kLocal;
    level_ -= question.task->cost;
    return Tier::kHard;
  }

 private:
  double rate_ = 0, level_ = 0;
  std::int64_t at_ms_ = 0;
};

// Sends a share of the requests, drawn blindly; the share follows spending of the last eight hours
// against what is left an hour left.
class PidThrottle final : public SpendPolicy {
 public:
  void begin_week(std::int64_t start_ms, double budget) override {
    end_ms_ = start_ms + kWeekMs;
    budget_ = budget;
    next_ms_ = start_ms + kHourMs;
    hourly_.assign(1, 0);
  }
  Tier choose(const Question& question) override {
    while (question.now_ms >= next_ms_) control(question.spent);
    return question.task->luck < share_ ? Tier::kHard : Tier::kLocal;
  }

 private:
  void control(double spent) {
    hourly_.push_back(spent);
    if (hourly_.size() > 9) hourly_.pop_front();
    const double rate = (spent - hourly_.front()) / static_cast<double>(hourly_.size() - 1);
    const double hours_left =
        std::max(1.0, static_cast<double>(end_ms_ - next_ms_) / static_cast<double>(kHourMs));
    const double target = std::max(1e-9, (budget_ - spent) / hours_left);
    const double error = std::clamp(1 - rate / target, -2.0, 1.0);
    integral_ = std::clamp(integral_ + error, -20.0, 20.0);
    share_ =
        std::clamp(0.6 + 0.1 * error + 0.03 * integral_ + 0.05 * (error - last_error_), 0.02, 1.0);
    last_error_ = error;
    next_ms_ += kHourMs;
  }
  double budget_ = 0, share_ = 0.6, integral_ = 0, last_error_ = 0;
  std::int64_t end_ms_ = 0, next_ms_ = 0;
  std::deque<double> hourly_;
};

// The product's.
template <bool kLadder>
class Dual final : public SpendPolicy {
 public:
  void begin_week(std::int64_t start_ms, double budget) override {
    pacer_.open(
        {.name = "week", .start_ms = start_ms, .end_ms = start_ms + kWeekMs, .cap = budget});
  }
  void asked(std::int64_t now_ms, const policy::AskedCost& cost) override {
    demand_.asked(now_ms, cost);
  }
  Tier choose(const Question& question) override {
    pacer_.observe(question.now_ms, question.spent, demand_);
    const Task& task = *question.task;
    const TaskClass& cls = kClasses[task.cls];
    std::vector<policy::TierCandidate> candidates;
    for (const Tier tier : {Tier::kHard, Tier::kDefault, Tier::kSmall, Tier::kLocal}) {
      const auto index = static_cast<std::size_t>(tier);
      if (kLadder || tier == Tier::kHard || tier == Tier::kLocal)
        candidates.push_back({tier, task.cost * kRelativePrice[index], cls.p_tier[index]});
    }
    return policy::choose_tier(
               candidates,
               {.weight = cls.weight, .p_local = question.p_local, .high_priority = task.high},
               pacer_.state(question.now_ms, demand_))
        .tier;
  }
  std::optional<policy::Forecast> forecast(std::int64_t now_ms, double spent) override {
    pacer_.observe(now_ms, spent, demand_);
    return policy::forecast(pacer_, now_ms, demand_);
  }

 private:
  policy::Pacer pacer_;
  policy::Demand demand_;
};

template <class Policy>
std::unique_ptr<SpendPolicy> make() {
  return std::make_unique<Policy>();
}

constexpr PolicyRow kRows[] = {
    {"greedy", false, make<Greedy>},
    {"static", false, make<Static>},
    {"token bucket", false, make<TokenBucket>},
    {"PID", false, make<PidThrottle>},
    {"dual", false, make<Dual<false>>},
    {"cascade", true, make<Greedy>},
    {"cascade + bucket", true, make<TokenBucket>},
    {"cascade + dual", true, make<Dual<false>>},
    {"cascade + dual + ladder", true, make<Dual<true>>},
};

}  // namespace

std::span<const PolicyRow> all_policies() {
  return kRows;
}

const PolicyRow& find_policy(std::string_view name) {
  const auto row = std::ranges::find(kRows, name, &PolicyRow::name);
  TOPHAND_ASSERT(row != std::end(kRows));
  return *row;
}

}  // namespace tophand::simulation
