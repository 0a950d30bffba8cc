#include "policy/evidence.h"

#include <algorithm>
#include <cmath>

namespace tophand::policy {
namespace {

constexpr double kLeastDifference =
    0.2;  // below, the correction multiplies noise by more than five

struct Interval {
  double centre, half;
};

Interval wilson(double good, double n, double z) {
  const double p = good / n, zz = z * z;
  const double scale = 1 + zz / n;
  return {(p + zz / (2 * n)) / scale, z * std::sqrt(p * (1 - p) / n + zz / (4 * n * n)) / scale};
}

// Of a rate with the posterior Beta(1 + good, 1 + bad).
double variance(const Counts& counts) {
  const double mean = counts.mean();
  return mean * (1 - mean) / (counts.n() + 3);
}

}  // namespace

double wilson_lower(double good, double n, double z) {
  if (n <= 0) return 0;
  const Interval at = wilson(good, n, z);
  return std::max(0.0, at.centre - at.half);
}

double wilson_upper(double good, double n, double z) {
  if (n <= 0) return 1;
  const Interval at = wilson(good, n, z);
  return std::min(1.0, at.centre + at.half);
}

void Counts::add(bool good) {
  good_ = good_ * kForget + (good ? 1 : 0);
  bad_ = bad_ * kForget + (good ? 0 : 1);
}

void Counts::take_out(bool good, std::int64_t later) {
  double& side = good ? good_ : bad_;
  side = std::max(0.0, side - std::pow(kForget, static_cast<double>(later)));
}

bool Cusum::observe(bool success, const CusumSettings& settings) {
  const double step = success ? std::log(settings.bad / settings.good)
                              : std::log((1 - settings.bad) / (1 - settings.good));
  sum_ = std::max(0.0, sum_ + step);
  return sum_ >= settings.threshold;
}

std::optional<Corrected> correct_for(const JudgeQuality& judge, double good, double n) {
  const double tpr = judge.of_good.mean(), fpr = judge.of_bad.mean();
  const double difference = tpr - fpr;
  if (difference < kLeastDifference || n <= 0) return std::nullopt;
  const double seen = good / n;
  const double p = std::clamp((seen - fpr) / difference, 0.0, 1.0);
  // At the ends of the scale the binomial variance would vanish; the seen rate is smoothed for it.
  const double smooth = (good + 1) / (n + 2);
  const double var = (smooth * (1 - smooth) / n + p * p * variance(judge.of_good) +
                      (1 - p) * (1 - p) * variance(judge.of_bad)) /
                     (difference * difference);
  const double spread = std::max(p * (1 - p), smooth * (1 - smooth));
  return Corrected{p, std::min(n, spread / var)};
}

}  // namespace tophand::policy
