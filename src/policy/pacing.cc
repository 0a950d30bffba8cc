#include "policy/pacing.h"

#include <algorithm>
#include <cmath>

#include "base/json.h"

namespace tophand::policy {
namespace {

constexpr std::int64_t kHourMs = 3'600'000, kMinuteMs = 60'000;
constexpr std::int64_t kDayMs = 24 * kHourMs;
constexpr int kLookBackUnits = 8;
constexpr std::size_t kUnitsMax = 1000;  // a month of hours
constexpr std::size_t kMarksMax = 256;   // far above the steps of a look-back
// A window shorter than this has no weekdays or nights of its own.
constexpr std::int64_t kShapedMs = 2 * kDayMs;
constexpr double kBehindMost = -1, kAheadMost = 1.5;

// A saved amount that is one.
bool bounded(double amount) {
  return amount >= 0 && amount <= 1e15;
}

// A saved time that is one: before the year 10,000.
bool is_time(std::int64_t ms) {
  return ms >= 0 && ms < 253'402'300'800'000;
}

double median_lambda(std::vector<Pacer::Unit> units) {
  const auto middle = units.begin() + static_cast<std::ptrdiff_t>(units.size() / 2);
  std::ranges::nth_element(units, middle, {}, &Pacer::Unit::lambda);
  return middle->lambda;
}

}  // namespace

void Pacer::open(const BudgetWindow& window) {
  if (window.start_ms != window_.start_ms) {
    // An earlier one: the clock was set back, and what was seen in its future teaches nothing.
    if (window.start_ms > window_.start_ms) {
      if (!units_.empty()) lambda_ = median_lambda(units_);
      last_units_ = std::move(units_);
    }
    units_.clear();
    unit_spent_ = 0;
    marks_.clear();
    spent_ = 0;
    stepped_ms_ = window.start_ms;
  }
  window_ = window;
}

std::int64_t Pacer::unit_ms() const {
  return std::clamp((window_.end_ms - window_.start_ms) / 168, 5 * kMinuteMs, kHourMs);
}

double Pacer::expected(std::int64_t from_ms, std::int64_t to_ms, const Demand& demand) const {
  if (window_.end_ms - window_.start_ms >= kShapedMs) return demand.expected_hours(from_ms, to_ms);
  return static_cast<double>(to_ms - from_ms) / static_cast<double>(kHourMs);
}

void Pacer::observe(std::int64_t now_ms, double spent, const Demand& demand) {
  if (window_.cap <= 0) return;
  const std::int64_t until = std::min(now_ms, window_.end_ms);
  // What was spent came after the steps that went by without a word of it.
  while (stepped_ms_ + step_ms() <= until) step(stepped_ms_ + step_ms(), demand);
  spent_ = spent;
}

// lambda *= exp(gain * clip(rate of the look-back / target - 1)), where the target is what is left
// per expected hour left. Steps count by the demand expected in them: a quiet night says little.
void Pacer::step(std::int64_t at_ms, const Demand& demand) {
  const std::int64_t from_ms = stepped_ms_;
  stepped_ms_ = at_ms;
  marks_.push_back({at_ms, spent_});
  const std::int64_t back_ms = at_ms - kLookBackUnits * unit_ms();
  while (marks_.size() > 1 && marks_[1].at_ms <= back_ms) marks_.pop_front();

  const double ahead = expected(at_ms, window_.end_ms, demand);
  const double left = window_.cap - spent_;
  double off = kAheadMost;
  if (left > 0 && ahead > 0) {
    // Before the look-back is full, spending is taken to have been on target where nothing is
    // known.
    const bool full = marks_.front().at_ms <= back_ms;
    const double since = full ? marks_.front().spent : 0;
    const double known = expected(std::max(back_ms, window_.start_ms), at_ms, demand);
    const double whole = std::max(known, expected(back_ms, at_ms, demand));
    const double target = left / ahead;
    const double rate = whole > 0 ? (spent_ - since + target * (whole - known)) / whole : target;
    off = std::clamp(rate / target - 1, kBehindMost, kAheadMost);
  }
  const double units = expected(from_ms, at_ms, demand) * static_cast<double>(kHourMs) /
                       static_cast<double>(unit_ms());
  lambda_ = std::clamp(lambda_ * std::exp(tuning_.gain * units * off), tuning_.lambda_min,
                       tuning_.lambda_max);
  const bool unit_ends =
      (at_ms - window_.start_ms) / unit_ms() != (from_ms - window_.start_ms) / unit_ms();
  if (unit_ends && units_.size() < kUnitsMax) {
    units_.push_back({at_ms, lambda_, spent_ - unit_spent_});
    unit_spent_ = spent_;
  }
}

std::vector<Pacer::Unit> Pacer::history() const {
  std::vector<Unit> all = last_units_;
  all.insert(all.end(), units_.begin(), units_.end());
  return all;
}

BudgetState Pacer::state(std::int64_t now_ms, const Demand& demand) const {
  const std::int64_t length_ms = window_.end_ms - window_.start_ms;
  if (window_.cap <= 0 || length_ms <= 0) return {};
  const std::int64_t left_ms = std::clamp(window_.end_ms - now_ms, std::int64_t{0}, length_ms);
  // In the last seventh what is left is let go: lambda falls with the time left, the reserve opens.
  const double release =
      std::min(1.0, 7 * static_cast<double>(left_ms) / static_cast<double>(length_ms));
  const double left = window_.cap - spent_;
  double high = 0;
  if (window_.usd_unit > 0)
    high = demand.expected_high_usd(now_ms, now_ms + left_ms) / window_.usd_unit;
  // Where nobody asks with high priority nothing is kept for it to the end.
  const double tail = high > 0 ? tuning_.tail * window_.cap : 0;
  const double reserve =
      std::max(tuning_.high_margin * high + tail, release >= 1 ? tuning_.reserve * window_.cap : 0);
  const double cover = left <= 0 ? 0 : high + tail > left ? left / (high + tail) : 1;
  return {.has_cap = true,
          .lambda = lambda_ * release,
          .used = spent_ / window_.cap,
          .left_ms = left_ms,
          .reserve_only = left <= reserve,
          .reserve_refuses = window_.refuses,
          .high_cover = cover,
          .mean_cost_usd = demand.mean_cost_usd(),
          .window = window_.name};
}

namespace {

Json units_json(const std::vector<Pacer::Unit>& units) {
  Json list = Json::array();
  for (const Pacer::Unit& unit : units) list.push_back({unit.end_ms, unit.lambda, unit.spent});
  return list;
}

bool read_units(const Json* list, std::vector<Pacer::Unit>& units) {
  if (list == nullptr || !list->is_array() || list->size() > kUnitsMax) return false;
  for (const Json& item : *list) {
    if (!item.is_array() || item.size() != 3 || !item[0].is_number_integer() ||
        !item[1].is_number() || !item[2].is_number())
      return false;
    units.push_back({item[0].get<std::int64_t>(), item[1].get<double>(), item[2].get<double>()});
    // Spending is known by what the provider says of it, which may go down.
    if (!is_time(units.back().end_ms) || !bounded(units.back().lambda) ||
        !bounded(std::abs(units.back().spent)))
      return false;
  }
  return true;
}

}  // namespace

std::string Pacer::save() const {
  Json marks = Json::array();
  for (const Mark& mark : marks_) marks.push_back({mark.at_ms, mark.spent});
  return dump_json({{"name", window_.name},
                    {"start_ms", window_.start_ms},
                    {"end_ms", window_.end_ms},
                    {"cap", window_.cap},
                    {"usd_unit", window_.usd_unit},
                    {"lambda", lambda_},
                    {"spent", spent_},
                    {"stepped_ms", stepped_ms_},
                    {"unit_spent", unit_spent_},
                    {"marks", std::move(marks)},
                    {"units", units_json(units_)},
                    {"last_units", units_json(last_units_)}});
}

Result<Pacer> Pacer::load(std::string_view text, PacerTuning tuning) {
  const auto damaged = [] { return fail(Code::kCorrupt, "the saved pacing cannot be read"); };
  const auto json = parse_json(text, {.bytes_max = 1 << 18, .depth_max = 4});
  if (!json) return damaged();
  Pacer pacer(tuning);
  pacer.window_ = {.name = std::string(string_or(*json, "name", "")),
                   .start_ms = int_or(*json, "start_ms", -1),
                   .end_ms = int_or(*json, "end_ms", -1),
                   .cap = number_or(*json, "cap", -1),
                   .usd_unit = number_or(*json, "usd_unit", -1)};
  pacer.lambda_ = number_or(*json, "lambda", -1);
  pacer.spent_ = number_or(*json, "spent", -1);
  pacer.stepped_ms_ = int_or(*json, "stepped_ms", -1);
  const Json* marks = find_key(*json, "marks");
  pacer.unit_spent_ = number_or(*json, "unit_spent", -1);
  if (!is_time(pacer.window_.start_ms) || !is_time(pacer.window_.end_ms) ||
      pacer.window_.end_ms < pacer.window_.start_ms || !is_time(pacer.stepped_ms_) ||
      !bounded(pacer.window_.cap) || !bounded(pacer.window_.usd_unit) ||
      pacer.lambda_ < tuning.lambda_min || pacer.lambda_ > tuning.lambda_max ||
      !bounded(pacer.spent_) || !bounded(pacer.unit_spent_) ||
      pacer.stepped_ms_ < pacer.window_.start_ms || marks == nullptr || !marks->is_array() ||
      marks->size() > kMarksMax || !read_units(find_key(*json, "units"), pacer.units_) ||
      !read_units(find_key(*json, "last_units"), pacer.last_units_))
    return damaged();
  std::int64_t before_ms = 0;
  for (const Json& mark : *marks) {
    if (!mark.is_array() || mark.size() != 2 || !mark[0].is_number_integer() ||
        !mark[1].is_number())
      return damaged();
    const Mark read{mark[0].get<std::int64_t>(), mark[1].get<double>()};
    // One that lies ahead would never fall out of the look-back.
    if (read.at_ms < before_ms || read.at_ms > pacer.stepped_ms_ || !bounded(std::abs(read.spent)))
      return damaged();
    before_ms = read.at_ms;
    pacer.marks_.push_back(read);
  }
  return pacer;
}

}  // namespace tophand::policy
