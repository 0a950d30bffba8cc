#include "server/door_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace tophand::server {
namespace {

TEST(DoorLog, AFloodIsAFewLinesASecondAndACount) {
  DoorLog door;
  testing::internal::CaptureStderr();
  for (int i = 0; i < 1000; ++i) door.note(Code::kUnauthorized, "openai_chat", 5'000 + i % 900);
  door.note(Code::kMisdirected, "openai_chat", 6'000);
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::ranges::count(log, '\n'), DoorLog::kLinesPerSecond + 1) << log;
  EXPECT_NE(log.find("error_code=misdirected_request status=421 dialect=openai_chat "
                     "left_out_before=995"),
            std::string::npos)
      << log;
}

}  // namespace
}  // namespace tophand::server
