// Two arms of an experiment compared: what a request costs in each, and how often its answer was
// good. Pure. Used by the savings report for the hold-out arm.
#pragma once

#include <cstdint>
#include <optional>

namespace tophand::policy {

// Fewer in either arm say nothing: the quantiles below are off, and so is everybody's patience.
inline constexpr std::int64_t kArmMin = 30;

// A mean and its spread, gathered one value at a time (B. P. Welford, Technometrics 4, 1962, 419).
class Sample {
 public:
  void add(double value);
  std::int64_t n() const { return n_; }
  double mean() const { return mean_; }
  double variance() const { return n_ < 2 ? 0 : squares_ / static_cast<double>(n_ - 1); }

 private:
  std::int64_t n_ = 0;
  double mean_ = 0, squares_ = 0;
};

struct Interval {  // two-sided, 95 %
  double estimate = 0, lower = 0, upper = 0;
};

// mean(a) - mean(b) with Welch's interval (B. L. Welch, Biometrika 34, 1947, 28-35). Nothing when
// an arm has less than kArmMin values.
std::optional<Interval> difference_of_means(const Sample& a, const Sample& b);

struct Labels {
  std::int64_t good = 0, n = 0;
};
// good(a) - good(b) as rates, with Newcombe's hybrid score interval (R. G. Newcombe, Statistics in
// Medicine 17, 1998, 873-890, method 10). Nothing when an arm has less than kArmMin labels.
std::optional<Interval> difference_of_rates(const Labels& a, const Labels& b);

}  // namespace tophand::policy
