#include "ledger/counterfactual.h"

#include <gtest/gtest.h>

namespace tophand::ledger {
namespace {

// $4 a million in, $20 out, $5 and $8 to write, $0.20 to read: claude-opus-5-5's list prices.
PriceBook book() {
  auto parsed = PriceBook::parse(
      R"({"date":"2026-10-07","models":[{"id":"opus","input":"4","output":"20",
          "cache_write_5m":"5","cache_write_1h":"8","cache_read":"0.20"}]})",
      "test");
  EXPECT_TRUE(parsed) << parsed.error().message;
  return parsed ? *parsed : PriceBook();
}

// The agent's step of 30,000 tokens: $0.124 uncached, $0.0244 with nine tenths read and the rest
// written, both with 200 tokens of answer. Worked out by hand from the prices above.
TEST(Counterfactual, ReckonsAnAgentsStepByItsSplit) {
  const Habit seen{.split = Habit::Source::kObserved, .read_ppm = 900'000, .write_5m_ppm = 100'000};
  const auto made = counterfactual(
      book(), seen,
      {.model = "opus", .why = "asked", .prompt_tokens = 30'000, .answer_tokens = 200});
  EXPECT_EQ(made.ceiling, 124'000'000);
  EXPECT_EQ(made.expected, 27'000 * 200 + 3'000 * 5000 + 200 * 20'000);
  EXPECT_EQ(made.floor, 30'000 * 200 + 200 * 20'000);
  EXPECT_EQ(basis_value(made.basis, "read_ppm"), 900'000);
  EXPECT_EQ(basis_value(made.basis, "prompt"), 30'000);
}

TEST(Counterfactual, AssumesACacheForLongPromptsAndNoneForShortOnes) {
  const LocalAnswer brief{
      .model = "opus", .why = "asked", .prompt_tokens = 1023, .answer_tokens = 0};
  EXPECT_EQ(counterfactual(book(), {}, brief).expected, 1023 * 4000);
  const LocalAnswer longer{
      .model = "opus", .why = "asked", .prompt_tokens = 2000, .answer_tokens = 0};
  EXPECT_EQ(counterfactual(book(), {}, longer).expected, 1800 * 200 + 200 * 5000);
}

TEST(Counterfactual, AppliesTheCorrectionTheVerbosityAndTheThinking) {
  const Habit habit{.tokens_ppm = 1'100'000,
                    .split = Habit::Source::kObserved,
                    .verbosity_ppm = 1'500'000,
                    .thinking_tokens = 40};
  const auto made = counterfactual(
      book(), habit, {.model = "opus", .why = "asked", .prompt_tokens = 10, .answer_tokens = 3});
  EXPECT_EQ(made.expected, 11 * 4000 + (5 + 40) * 20'000);  // 3 * 1.5 rounds half up
}

TEST(Counterfactual, NeverFallsFromFloorToCeiling) {
  // All of it written for an hour: dearer than without a cache.
  const Habit habit{.split = Habit::Source::kObserved, .write_1h_ppm = kMillion};
  const auto made = counterfactual(
      book(), habit, {.model = "opus", .why = "asked", .prompt_tokens = 5000, .answer_tokens = 1});
  EXPECT_EQ(made.expected, 5000 * 8000 + 20'000);
  EXPECT_EQ(made.ceiling, made.expected);
  EXPECT_LE(made.floor, made.expected);
}

TEST(Counterfactual, ClaimsNothingWithoutAPriceOrForAbsurdCounts) {
  const LocalAnswer unknown{
      .model = "gpt", .why = "asked", .prompt_tokens = 10, .answer_tokens = 10};
  EXPECT_EQ(counterfactual(book(), {}, unknown).expected, 0);
  EXPECT_EQ(counterfactual(book(), {}, unknown).basis, "");
  const LocalAnswer absurd{.model = "opus", .why = "asked", .prompt_tokens = INT64_MAX};
  EXPECT_EQ(counterfactual(book(), {}, absurd).ceiling, 0);
}

// 65 W for an hour at 30 cents a kilowatt-hour: 0.065 kWh, $0.0195.
TEST(Energy, IsWattsTimesTimeTimesPrice) {
  const Energy hour = energy_of({.milliwatts = 65'000, .micro_usd_per_kwh = 300'000}, 3'600'000);
  EXPECT_EQ(hour.cost, 19'500'000);
  EXPECT_EQ(basis_value(hour.basis, "work_ms"), 3'600'000);
  EXPECT_EQ(energy_of({.milliwatts = 0, .micro_usd_per_kwh = 300'000}, 1000).cost, 0);
  EXPECT_EQ(energy_of({.milliwatts = 65'000, .micro_usd_per_kwh = 0}, 1000).cost, 0);
  EXPECT_EQ(energy_of({.milliwatts = INT64_MAX, .micro_usd_per_kwh = 1}, 1000).cost, 0);
}

TEST(Basis, IsReadByItsKeysOnly) {
  const std::string_view basis = "cf1 prompt=12 my_prompt=13 model=opus broken=1x";
  EXPECT_EQ(basis_value(basis, "prompt"), 12);
  EXPECT_EQ(basis_value(basis, "my_prompt"), 13);
  EXPECT_FALSE(basis_value(basis, "model"));
  EXPECT_FALSE(basis_value(basis, "broken"));
  EXPECT_FALSE(basis_value(basis, "none"));
  EXPECT_FALSE(basis_value("cf9 prompt=12", "prompt")) << "of another version";
  EXPECT_FALSE(basis_value("", "prompt"));
}

}  // namespace
}  // namespace tophand::ledger
