#include "net/retry_after.h"

#include <gtest/gtest.h>

namespace tophand::net {
namespace {

constexpr std::int64_t kNowMs = 1'792'567'680'000;  // Wed, 21 Oct 2026 07:28:00 GMT (date -u -d)

struct Case {
  const char* name;
  const char* value;
  std::optional<std::int64_t> ms;
};
const Case kCases[] = {
    {"retry-after", "1", 1000},
    {"retry-after", "60", 60'000},
    {"retry-after", "0", 0},
    {"retry-after", "1.5", 1500},
    {"retry-after", "0.0001", 1},
    {"retry-after", "-1", std::nullopt},
    {"retry-after", "+1", std::nullopt},
    {"retry-after", "1e3", std::nullopt},
    {"retry-after", "inf", std::nullopt},
    {"retry-after", "1.5.0", std::nullopt},
    {"retry-after", ".", std::nullopt},
    {"retry-after", "soon", std::nullopt},
    {"retry-after", "99999999999999999999", std::nullopt},
    {"retry-after", "40000000", std::nullopt},
    {"retry-after", "", std::nullopt},
    {"retry-after", "Wed, 21 Oct 2026 07:28:30 GMT", 30'000},
    {"retry-after", "Wednesday, 21-Oct-26 07:28:30 GMT", 30'000},
    {"retry-after", "Wed Oct 21 07:28:30 2026", 30'000},
    {"retry-after", "Thu Oct  1 07:28:30 2026", 0},
    {"retry-after", "Wed, 21 Oct 2026 07:27:00 GMT", 0},
    {"retry-after", "Wed, 21 Oct 2026 07:28:30 GMT+5", std::nullopt},
    {"retry-after", "Wed, 21 Oct 2026 07:28:30", std::nullopt},
    {"retry-after-ms", "250", 250},
    {"retry-after-ms", "300.5", 301},
    {"retry-after-ms", "-250", std::nullopt},
    {"x-other", "1", std::nullopt},
};

TEST(RetryAfter, ReadsNumbersAndDatesAndNothingElse) {
  for (const Case& test : kCases) {
    Headers headers;
    headers.add(test.name, test.value);
    EXPECT_EQ(retry_after_ms(headers, kNowMs), test.ms) << test.name << ": " << test.value;
  }
}

TEST(RetryAfter, OnlyWhatSaysSomethingIsPassedOn) {
  for (const Case& test : kCases) {
    Headers headers, passed;
    headers.add(test.name, test.value);
    pass_on_retry_after(headers, passed);
    EXPECT_EQ(passed.find(test.name).has_value(), test.ms.has_value())
        << test.name << ": " << test.value;
  }
}

TEST(RetryAfter, MilliSecondsThatSayNothingLeaveItToTheSeconds) {
  Headers headers;
  headers.add("retry-after-ms", "soon");
  headers.add("retry-after", "2");
  EXPECT_EQ(retry_after_ms(headers, kNowMs), 2000);
}

}  // namespace
}  // namespace tophand::net
