#include "dispatch/verdict.h"

#include <gtest/gtest.h>

namespace tophand::dispatch {
namespace {

constexpr std::int64_t kNowMs = 1'792'567'680'000;  // Wed, 21 Oct 2026 07:28:00 GMT (date -u -d)

backend::Report refusal(Code code, int status, const char* retry_after = nullptr) {
  backend::Report report = backend::refused({code, "no"});
  report.status = status;
  if (retry_after != nullptr) report.kept.add("retry-after", retry_after);
  return report;
}

TEST(Verdict, WaitsForShortTimesOnly) {
  struct Case {
    const char* what;
    backend::Report report;
    std::optional<std::int64_t> ms;
  };
  backend::Report cap = refusal(Code::kExhausted, 429, "1");
  cap.raw_error = R"({"error":{"details":{"error_code":"enforced_spend_limit_reached"}}})";
  const Case cases[] = {
      {"as asked", refusal(Code::kExhausted, 429, "1"), 1000},
      {"too long: the client's to decide", refusal(Code::kExhausted, 429, "60"), std::nullopt},
      {"nothing said", refusal(Code::kExhausted, 429), std::nullopt},
      {"an overload that says when", refusal(Code::kUnavailable, 529, "2"), 2000},
      {"a wrong request", refusal(Code::kInvalid, 400, "1"), std::nullopt},
      {"a spending cap", cap, std::nullopt},
  };
  for (const Case& test : cases)
    EXPECT_EQ(repeat_after_ms(test.report, kNowMs), test.ms) << test.what;
}

TEST(Verdict, WhatAModelDoesNotDoAnotherMayDo) {
  backend::Report report = refusal(Code::kInvalid, 400);
  EXPECT_FALSE(may_help_elsewhere(report));
  report.failure->error.about = About::kAbility;
  EXPECT_TRUE(may_help_elsewhere(report));
  EXPECT_EQ(health_of(report), Health::kWell);
}

TEST(Verdict, KnowsWhatAFailureSaysOfItsBackend) {
  const std::pair<Code, Health> cases[] = {
      {Code::kUnavailable, Health::kFailing}, {Code::kUpstream, Health::kFailing},
      {Code::kDeadline, Health::kFailing},    {Code::kIo, Health::kFailing},
      {Code::kExhausted, Health::kWell},      {Code::kInvalid, Health::kWell},
      {Code::kPromptTooLong, Health::kWell},  {Code::kNotFound, Health::kWell},
  };
  for (const auto& [code, health] : cases)
    EXPECT_EQ(health_of(refusal(code, 0)), health) << info(code).name;
  backend::Report report;
  backend::end_with(report, {Code::kCancelled, "gone"});
  EXPECT_EQ(health_of(report), Health::kUnknown);
  report.end = backend::End::kFinished;
  EXPECT_EQ(health_of(report), Health::kWell);
}

}  // namespace
}  // namespace tophand::dispatch
