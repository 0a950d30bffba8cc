#include <gtest/gtest.h>

#include "ledger/ledger.h"
#include "ledger/test_support.h"

namespace tophand::ledger {
namespace {

std::unique_ptr<Ledger> open_ledger(const TemporaryFolder& folder, const Clock& clock) {
  auto opened = Ledger::open(folder.path() + "/ledger.db", clock, "prices", std::nullopt);
  EXPECT_TRUE(opened);
  return std::move(*opened);
}

TEST(SavedState, IsFoundAgainAfterARestart) {
  const TemporaryFolder folder;
  FakeClock clock;
  {
    const auto ledger = open_ledger(folder, clock);
    EXPECT_EQ(*ledger->get_state("pacing"), "");
    ASSERT_TRUE(ledger->put_state("pacing", "first"));
    ASSERT_TRUE(ledger->put_state("pacing", "second"));
  }
  EXPECT_EQ(*open_ledger(folder, clock)->get_state("pacing"), "second");
}

TEST(SavedState, RefusesMoreThanAMebibyte) {
  const TemporaryFolder folder;
  FakeClock clock;
  const auto ledger = open_ledger(folder, clock);
  EXPECT_EQ(ledger->put_state("pacing", std::string((1u << 20) + 1, 'x')).error().code,
            Code::kTooLarge);
}

}  // namespace
}  // namespace tophand::ledger
