#include "backend/sse_frames.h"

#include <gtest/gtest.h>

namespace tophand::backend {
namespace {

// The bytes of three events, one with each kind of line end (WHATWG HTML, 9.2.5).
const std::string kStream =
    "event: a\ndata: 1\n\n"
    ": comment\r\nevent: b\r\ndata: 2\r\n\r\n"
    "data: 3\r\rdata: left";

TEST(SseFrames, KeepsEveryByteWhateverTheSplit) {
  for (std::size_t step = 1; step <= kStream.size(); ++step) {
    SseFrames frames;
    std::string whole;
    for (std::size_t at = 0; at < kStream.size(); at += step) {
      const auto cut = frames.push(std::string_view(kStream).substr(at, step));
      ASSERT_TRUE(cut);
      whole += *cut;
    }
    EXPECT_EQ(whole, kStream.substr(0, kStream.find("data: left"))) << "step " << step;
    EXPECT_TRUE(frames.mid_event());
  }
}

TEST(SseFrames, GivesNothingOfAnUnfinishedEvent) {
  SseFrames frames;
  EXPECT_EQ(*frames.push("event: a\ndata: 1\n"), "");
  EXPECT_EQ(*frames.push("\nevent"), "event: a\ndata: 1\n\n");
  EXPECT_TRUE(frames.mid_event());
}

TEST(SseFrames, AreToldApart) {
  std::string_view rest = std::string_view(kStream).substr(0, kStream.find("data: left"));
  std::vector<std::string> frames;
  while (!rest.empty()) {
    frames.emplace_back(first_frame(rest));
    rest.remove_prefix(frames.back().size());
  }
  EXPECT_EQ(frames,
            (std::vector<std::string>{"event: a\ndata: 1\n\n",
                                      ": comment\r\nevent: b\r\ndata: 2\r\n\r\n", "data: 3\r\r"}));
}

TEST(SseFrames, RefusesAnEventThatOutgrowsTheLimit) {
  SseFrames frames(16);
  const auto cut = frames.push("data: 0123456789abcdef");
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, Code::kTooLarge);
}

}  // namespace
}  // namespace tophand::backend
