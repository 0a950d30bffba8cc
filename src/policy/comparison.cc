#include "policy/comparison.h"

#include <algorithm>
#include <cmath>

#include "policy/evidence.h"

namespace tophand::policy {
namespace {

constexpr double kZ = 1.9599639845400545;  // the normal quantile at 0.975

// Student's quantile at 0.975 from the normal one (Abramowitz & Stegun 26.7.5): three digits right
// at ten degrees of freedom, five at thirty.
double student_quantile(double freedom) {
  const double z = kZ, z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z;
  return z + (z3 + z) / (4 * freedom) + (5 * z5 + 16 * z3 + 3 * z) / (96 * freedom * freedom) +
         (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * freedom * freedom * freedom);
}

}  // namespace

void Sample::add(double value) {
  ++n_;
  const double off = value - mean_;
  mean_ += off / static_cast<double>(n_);
  squares_ += off * (value - mean_);
}

std::optional<Interval> difference_of_means(const Sample& a, const Sample& b) {
  if (std::min(a.n(), b.n()) < kArmMin) return std::nullopt;
  const double error_a = a.variance() / static_cast<double>(a.n());
  const double error_b = b.variance() / static_cast<double>(b.n());
  const double error = error_a + error_b;
  const double estimate = a.mean() - b.mean();
  if (error <= 0) return Interval{estimate, estimate, estimate};
  const double freedom = error * error /
                         (error_a * error_a / static_cast<double>(a.n() - 1) +
                          error_b * error_b / static_cast<double>(b.n() - 1));
  const double half = student_quantile(freedom) * std::sqrt(error);
  return Interval{estimate, estimate - half, estimate + half};
}

std::optional<Interval> difference_of_rates(const Labels& a, const Labels& b) {
  if (std::min(a.n, b.n) < kArmMin) return std::nullopt;
  const auto good_a = static_cast<double>(a.good), n_a = static_cast<double>(a.n);
  const auto good_b = static_cast<double>(b.good), n_b = static_cast<double>(b.n);
  const double rate_a = good_a / n_a, rate_b = good_b / n_b;
  const double estimate = rate_a - rate_b;
  return Interval{estimate,
                  estimate - std::hypot(rate_a - wilson_lower(good_a, n_a, kZ),
                                        wilson_upper(good_b, n_b, kZ) - rate_b),
                  estimate + std::hypot(wilson_upper(good_a, n_a, kZ) - rate_a,
                                        rate_b - wilson_lower(good_b, n_b, kZ))};
}

}  // namespace tophand::policy
