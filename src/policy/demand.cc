#include "policy/demand.h"

#include <algorithm>

#include "base/json.h"

namespace tophand::policy {
namespace {

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kWeekHours = 168;
// An hour's sum weighs half after three weeks.
constexpr double kKeptAnHour = 0.99863;
constexpr double kKeptLately = 0.96;  // a day's time constant
// As if so many hours of the mean had been seen before: a shape needs evidence.
constexpr double kPriorHours = 4, kPriorWeekdayHours = 24;
constexpr double kUsdMax = 1e6, kSumMax = 1e15;  // of one call; of what is added up
constexpr std::int64_t kHourMax = 100'000'000;   // the year 13,000
constexpr std::int64_t kCallsMax = 500;          // the mean cost is of about so many

// 1970-01-01 was a Thursday, three days after a Monday.
std::size_t hour_of_week(std::int64_t hour) {
  return static_cast<std::size_t>((hour + std::int64_t{3 * 24}) % kWeekHours);
}

}  // namespace

std::array<double, 168> Demand::even_shape() {
  std::array<double, 168> shape;
  shape.fill(1);
  return shape;
}

void Demand::asked(std::int64_t now_ms, const AskedCost& cost) {
  if (!(cost.usd >= 0 && cost.usd <= kUsdMax) || now_ms < 0) return;
  calls_ = std::min(calls_ + 1, kCallsMax);
  mean_cost_usd_ += (cost.usd - mean_cost_usd_) / static_cast<double>(calls_);
  close_hours_until(now_ms / kHourMs);
  hour_sum_ += cost.usd;
  if (cost.high_priority) hour_high_sum_ += cost.usd;
}

void Demand::close_hours_until(std::int64_t hour) {
  if (hour_ < 0) hour_ = hour;
  if (hour <= hour_) return;
  // After a long silence the weeks nobody ran it say nothing of the demand.
  if (hour - hour_ > kWeekHours) {
    close_hour();
    hour_ = hour;
  }
  for (; hour_ < hour; ++hour_) close_hour();
  reshape();
}

void Demand::close_hour() {
  const std::size_t place = hour_of_week(hour_);
  const auto forget = [](Bin& bin, double kept) { bin = {bin.sum * kept, bin.hours * kept}; };
  const auto add = [](Bin& bin, double sum, double hours) {
    bin = {bin.sum + sum, bin.hours + hours};
  };
  for (Bin& bin : by_hour_) forget(bin, kKeptAnHour);
  for (Bin& bin : by_weekday_) forget(bin, kKeptAnHour);
  for (Bin* bin : {&all_, &high_}) forget(*bin, kKeptAnHour);
  forget(high_lately_, kKeptLately);
  add(by_hour_[place % 24], hour_sum_, 1);
  add(by_weekday_[place / 24], hour_sum_, 1);
  add(all_, hour_sum_, 1);
  add(high_, hour_high_sum_, shape_[place]);
  add(high_lately_, hour_high_sum_, shape_[place]);
  hour_sum_ = hour_high_sum_ = 0;
}

double Demand::relative(const Bin& bin, double mean, double prior_hours) {
  return mean > 0 ? (bin.sum + prior_hours * mean) / ((bin.hours + prior_hours) * mean) : 1;
}

void Demand::reshape() {
  const double mean = rate(all_);
  double total = 0;
  for (std::size_t i = 0; i < shape_.size(); ++i) {
    shape_[i] = relative(by_hour_[i % 24], mean, kPriorHours) *
                relative(by_weekday_[i / 24], mean, kPriorWeekdayHours);
    total += shape_[i];
  }
  for (double& weight : shape_) weight *= static_cast<double>(kWeekHours) / total;
}

double Demand::expected_hours(std::int64_t from_ms, std::int64_t to_ms) const {
  if (from_ms < 0 || to_ms <= from_ms) return 0;
  double sum = 0;
  const auto part = [&](std::int64_t begin_ms, std::int64_t end_ms) {
    sum += shape_[hour_of_week(begin_ms / kHourMs)] * static_cast<double>(end_ms - begin_ms) /
           static_cast<double>(kHourMs);
  };
  // Whole weeks are 168 mean hours whatever the shape.
  const std::int64_t week_ms = kWeekHours * kHourMs;
  const std::int64_t weeks = (to_ms - from_ms) / week_ms;
  sum += static_cast<double>(weeks * kWeekHours);
  for (std::int64_t at = from_ms + weeks * week_ms; at < to_ms;) {
    const std::int64_t next = std::min(to_ms, (at / kHourMs + 1) * kHourMs);
    part(at, next);
    at = next;
  }
  return sum;
}

double Demand::expected_high_usd(std::int64_t from_ms, std::int64_t to_ms) const {
  return std::max(rate(high_), rate(high_lately_)) * expected_hours(from_ms, to_ms);
}

std::string Demand::save() const {
  const auto bins = [](const auto& from) {
    Json list = Json::array();
    for (const Bin& bin : from) list.push_back({bin.sum, bin.hours});
    return list;
  };
  return dump_json({{"mean_cost_usd", mean_cost_usd_},
                    {"calls", calls_},
                    {"hour", hour_},
                    {"hour_sum", hour_sum_},
                    {"hour_high_sum", hour_high_sum_},
                    {"all", bins(std::array{all_, high_, high_lately_})},
                    {"by_hour", bins(by_hour_)},
                    {"by_weekday", bins(by_weekday_)}});
}

Result<Demand> Demand::load(std::string_view text) {
  const auto damaged = [] { return fail(Code::kCorrupt, "the saved demand cannot be read"); };
  const auto json = parse_json(text, {.bytes_max = 1 << 16, .depth_max = 4});
  if (!json) return damaged();
  Demand demand;
  const auto read_bin = [](const Json& from, Bin& bin) {
    if (!from.is_array() || from.size() != 2 || !from[0].is_number() || !from[1].is_number())
      return false;
    bin = {from[0].get<double>(), from[1].get<double>()};
    return bin.sum >= 0 && bin.sum <= kSumMax && bin.hours >= 0 && bin.hours <= kSumMax;
  };
  const auto read_bins = [&](std::string_view key, auto& bins) {
    const Json* list = find_key(*json, key);
    if (list == nullptr || !list->is_array() || list->size() != bins.size()) return false;
    for (std::size_t i = 0; i < bins.size(); ++i)
      if (!read_bin((*list)[i], bins[i])) return false;
    return true;
  };
  std::array<Bin, 3> all;
  if (!read_bins("all", all) || !read_bins("by_hour", demand.by_hour_) ||
      !read_bins("by_weekday", demand.by_weekday_))
    return damaged();
  demand.all_ = all[0];
  demand.high_ = all[1];
  demand.high_lately_ = all[2];
  demand.mean_cost_usd_ = number_or(*json, "mean_cost_usd", -1);
  demand.calls_ = int_or(*json, "calls", -1);
  demand.hour_ = int_or(*json, "hour", -2);
  demand.hour_sum_ = number_or(*json, "hour_sum", -1);
  demand.hour_high_sum_ = number_or(*json, "hour_high_sum", -1);
  for (const double amount : {demand.mean_cost_usd_, demand.hour_sum_, demand.hour_high_sum_})
    if (!(amount >= 0 && amount <= kSumMax)) return damaged();
  if (demand.calls_ < 0 || demand.calls_ > kCallsMax || demand.hour_ < -1 ||
      demand.hour_ > kHourMax)
    return damaged();
  demand.reshape();
  return demand;
}

}  // namespace tophand::policy
