// The statistics of success and failure that learning rests on: counts that forget, a lower bound
// of a rate, a detector of its fall, and the correction of labels that are themselves uncertain.
// Pure. Used by learning.h and by `tophand savings`.
#pragma once

#include <cstdint>
#include <optional>

namespace tophand::policy {

// One-sided 95 %: the normal quantile at 0.95.
inline constexpr double kZ95 = 1.6448536269514722;

// Wilson's score bound (E. B. Wilson, JASA 22, 1927, 209-212) of a rate seen `good` times out of
// `n`; both may be fractions, 0 <= good <= n. No observation bounds nothing: 0 and 1.
double wilson_lower(double good, double n, double z = kZ95);
double wilson_upper(double good, double n, double z = kZ95);

// Successes and failures, each observation weighing `kForget` times as much as the next: about the
// last 200 count (1 / (1 - 0.995)).
inline constexpr double kForget = 0.995;

class Counts {
 public:
  void add(bool good);
  // Takes out an observation after which `later` others were added.
  void take_out(bool good, std::int64_t later);
  double good() const { return good_; }
  double n() const { return good_ + bad_; }
  // Of Beta(1 + good, 1 + bad): the posterior of a rate about which nothing was known.
  double mean() const { return (1 + good_) / (2 + good_ + bad_); }

 private:
  double good_ = 0, bad_ = 0;
};

// A cumulative sum of log-likelihood ratios (E. S. Page, Biometrika 41, 1954, 100-115) that tells a
// success rate of `bad` from one of `good`. It starts again by reset() only.
struct CusumSettings {
  double good = 0.88, bad = 0.70;  // the rate that is well, and the one to be noticed
  // 4 would give a false alarm every 890 observations at .88, 4.2 one every 1,140; a fall to .70 is
  // noticed after 33 on average instead of 31 (evidence_test.cc).
  double threshold = 4.2;
};

class Cusum {
 public:
  // True when the sum has reached the threshold.
  bool observe(bool success, const CusumSettings& settings);
  void reset() { sum_ = 0; }
  double sum() const { return sum_; }

 private:
  double sum_ = 0;
};

// How often a judge says "good" of what is good, and of what is bad, each with what it was seen in.
struct JudgeQuality {
  Counts of_good, of_bad;  // "good" counts as a success in both
};

// The rate behind `good` out of `n` labels of such a judge (W. J. Rogan, B. Gladen, Am. J.
// Epidemiol. 107, 1978, 71-76), and the number of certain labels that would know it as well:
// p (1 - p) / Var(p), the variance by the delta method with that of the judge's own rates. Nothing
// when the judge hardly tells good from bad (a difference of less than 0.2).
struct Corrected {
  double rate = 0, n = 0;
};
std::optional<Corrected> correct_for(const JudgeQuality& judge, double good, double n);

}  // namespace tophand::policy
