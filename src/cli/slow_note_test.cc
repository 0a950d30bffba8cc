#include "cli/slow_note.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace tophand::cli {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::IsEmpty;

struct SlowNoteTest : testing::Test {
  std::ostringstream out, err;
  Io io{.out = out, .err = err, .err_is_terminal = true};
};

TEST_F(SlowNoteTest, SaysWhatIsWaitedForAndTakesItAway) {
  {
    const SlowNote note(io, "reading the ledger", milliseconds(1));
    std::this_thread::sleep_for(milliseconds(300));
  }
  EXPECT_THAT(err.str(), HasSubstr("reading the ledger, 0 s"));
  EXPECT_TRUE(err.str().ends_with("\r\x1b[K")) << err.str();
}

TEST_F(SlowNoteTest, SaysNothingOfWhatIsQuick) {
  {
    const SlowNote note(io, "reading the ledger", milliseconds(60'000));
  }
  EXPECT_THAT(err.str(), IsEmpty());
}

TEST_F(SlowNoteTest, SaysNothingWhereNobodyLooks) {
  io.err_is_terminal = false;
  {
    const SlowNote note(io, "reading the ledger", milliseconds(1));
    std::this_thread::sleep_for(milliseconds(50));
  }
  EXPECT_THAT(err.str(), IsEmpty());
}

}  // namespace
}  // namespace tophand::cli
