// What was asked for and when, in dollars: the mean cost of a call and the shape of the week, for
// pacing. Pure; the caller serialises.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tophand::policy {

struct AskedCost {
  double usd = 0;  // expected, at the tier asked for
  bool high_priority = false;
};

class Demand {
 public:
  // A request that would cost so much, whether or not it is then sent. Times do not go back: an
  // earlier one counts for the hour of the latest.
  void asked(std::int64_t now_ms, const AskedCost& cost);
  // Of the last some hundred calls; 0 before the first.
  double mean_cost_usd() const { return mean_cost_usd_; }
  // How much demand is expected between two times, in mean hours: an even week gives the hours.
  double expected_hours(std::int64_t from_ms, std::int64_t to_ms) const;

  // What high priority is expected to ask for between two times, in dollars: at its mean rate, or
  // at that of the last day or so when it is larger.
  double expected_high_usd(std::int64_t from_ms, std::int64_t to_ms) const;

  std::string save() const;  // JSON, under 4 KiB
  // kCorrupt when it is not what save() wrote.
  static Result<Demand> load(std::string_view text);

 private:
  // Sums and how many hours were seen, both forgotten slowly.
  struct Bin {
    double sum = 0, hours = 0;
  };
  static double rate(const Bin& bin) { return bin.hours > 0 ? bin.sum / bin.hours : 0; }
  static double relative(const Bin& bin, double mean, double prior_hours);
  void close_hours_until(std::int64_t hour);
  void close_hour();

  double mean_cost_usd_ = 0;
  std::int64_t calls_ = 0;
  std::int64_t hour_ = -1;  // since the epoch; the open one
  double hour_sum_ = 0, hour_high_sum_ = 0;
  std::array<Bin, 24> by_hour_{};    // of the day, UTC
  std::array<Bin, 7> by_weekday_{};  // Monday first
  Bin all_{};
  Bin high_{}, high_lately_{};  // dollars of high priority; hours are expected ones
  // The product of the two shapes for each hour of the week, scaled to a mean of 1.
  std::array<double, 168> shape_ = even_shape();
  static std::array<double, 168> even_shape();
  void reshape();
};

}  // namespace tophand::policy
