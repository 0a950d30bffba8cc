#include "policy/sampling.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <string>

#include "base/random.h"

namespace tophand::policy {
namespace {

constexpr SampleSeed kSeed{0x0706050403020100, 0x0f0e0d0c0b0a0908};  // of the SipHash paper

TEST(SipHash, GivesThePublishedValues) {
  // Appendix A of the paper, and the first of its authors' vectors.
  EXPECT_EQ(siphash(kSeed, std::string_view("\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16", 15)),
            0xa129ca6149be45e5U);
  EXPECT_EQ(siphash(kSeed, ""), 0x726fdb47dd0e0e31U);
}

std::string request_id(int i) {
  return "req_" + std::to_string(i);
}

TEST(SampleArm, TakesTheSharesItIsToldAndAlwaysTheSame) {
  std::map<Arm, int> canary;
  int holdouts = 0;
  constexpr int kRequests = 100'000;
  const DayCount busy{.requests = 1, .audits = 3, .yesterday = 1000};
  int trusted = 0;
  for (int i = 0; i < kRequests; ++i) {
    const std::string id = request_id(i);
    ++canary[sample_arm(id, Stage::kCanary, {}, kSeed, {})];
    trusted += sample_arm(id, Stage::kTrusted, busy, kSeed, {}) == Arm::kAudit ? 1 : 0;
    holdouts += draws_holdout(id, kSeed, {}) ? 1 : 0;
  }
  // Within four standard deviations: sqrt(100,000 p (1 - p)).
  EXPECT_NEAR(canary[Arm::kCanary], 20'000, 4 * 126);
  EXPECT_NEAR(trusted, 2'000, 4 * 44);
  EXPECT_NEAR(holdouts, 2'000, 4 * 44);
  EXPECT_EQ(sample_arm(request_id(5), Stage::kCanary, {}, kSeed, {}),
            sample_arm(request_id(5), Stage::kCanary, {}, kSeed, {}));
}

TEST(Draw, IsUniformAndOwesNothingToItsOtherPurposes) {
  constexpr int kBins = 10, kRequests = 50'000;
  std::map<std::pair<int, int>, int> cells;
  for (int i = 0; i < kRequests; ++i) {
    const std::string id = random_id("req_");
    ++cells[{static_cast<int>(draw(kSeed, "audit", id) * kBins),
             static_cast<int>(draw(kSeed, "holdout", id) * kBins)}];
  }
  double chi_square = 0;
  const double expected = kRequests / 100.0;
  for (int a = 0; a < kBins; ++a)
    for (int b = 0; b < kBins; ++b) {
      const double off = cells[{a, b}] - expected;
      chi_square += off * off / expected;
    }
  std::printf("chi square, 99 degrees of freedom: %.1f\n", chi_square);
  EXPECT_LT(chi_square, 181.0);  // exceeded by chance once in a million
}

TEST(SampleArm, AuditsATrustedRouteThreeTimesADayOnWhateverTraffic) {
  for (const std::int64_t a_day : {3, 10, 40, 100, 1000}) {
    DayCount today{.yesterday = a_day};
    for (std::int64_t i = 0; i < a_day; ++i) {
      const std::string id = "req_" + std::to_string(a_day) + "_" + std::to_string(i);
      if (sample_arm(id, Stage::kTrusted, today, kSeed, {}) == Arm::kAudit) ++today.audits;
      ++today.requests;
    }
    EXPECT_GE(today.audits, 3) << a_day;
    EXPECT_LE(today.audits, std::max<std::int64_t>(3 + a_day / 20, a_day * 4 / 100)) << a_day;
  }
}

TEST(SampleArm, OfAnUnknownDayGoesByThirtyRequests) {
  DayCount today;
  int audits = 0;
  for (int i = 0; i < 30; ++i, ++today.requests)
    if (sample_arm(request_id(i), Stage::kTrusted, today, kSeed, {.trusted = 0}) == Arm::kAudit) {
      ++audits;
      ++today.audits;
    }
  EXPECT_EQ(audits, 3);
}

}  // namespace
}  // namespace tophand::policy
