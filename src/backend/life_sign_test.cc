#include "backend/life_sign.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <string>

#include "base/random.h"

namespace tophand::backend {
namespace {

constexpr std::int64_t kMs = 1'000'000;

// A worker of which only the socket is there, as long as nobody calls answer().
class LifeSignTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + random_id("life-");
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    ASSERT_LT(path_.size(), sizeof name.sun_path);
    std::memcpy(name.sun_path, path_.c_str(), path_.size() + 1);
    listener_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
    ASSERT_EQ(::listen(listener_.get(), 8), 0);
  }
  void TearDown() override { ::unlink(path_.c_str()); }

  void answer() const {
    const Fd peer(::accept(listener_.get(), nullptr, nullptr));
    ASSERT_EQ(::send(peer.get(), "HTTP/1.1 200 OK\r\n\r\n", 19, MSG_NOSIGNAL), 19);
  }
  bool is_asked() const {
    pollfd waiting{listener_.get(), POLLIN, 0};
    return ::poll(&waiting, 1, 0) == 1;
  }
  // Looks whenever it is to be looked, until `until_ms` or the worker is given up. When that was.
  static std::int64_t look_until(LifeSign& life, std::int64_t until_ms) {
    std::int64_t at_ns = 0;
    for (; at_ns < until_ms * kMs; at_ns = life.next_look_ns())
      if (!life.look(at_ns)) break;
    return at_ns / kMs;
  }

  std::string path_;
  Fd listener_;
};

TEST_F(LifeSignTest, OneThatSaysNothingIsGivenUpAfterFiveSeconds) {
  LifeSign life;
  life.begin(path_, 0);
  EXPECT_EQ(look_until(life, 60'000), 6'000) << "asked after one second, silent for five";
}

TEST_F(LifeSignTest, OneThatAnswersIsAskedAgainASecondLater) {
  LifeSign life;
  life.begin(path_, 0);
  EXPECT_TRUE(life.look(999 * kMs));
  EXPECT_FALSE(is_asked());
  EXPECT_EQ(life.fd(), -1);
  EXPECT_TRUE(life.look(1'000 * kMs));
  ASSERT_TRUE(is_asked());
  answer();
  for (std::int64_t ms = 1'250; ms < 2'250; ms += 250) EXPECT_TRUE(life.look(ms * kMs));
  EXPECT_EQ(life.next_look_ns(), 2'250 * kMs);
  EXPECT_FALSE(is_asked());
  EXPECT_TRUE(life.look(2'250 * kMs));
  EXPECT_TRUE(is_asked());
}

TEST_F(LifeSignTest, AnAnswerThatTakesLongIsOne) {
  LifeSign life;
  life.begin(path_, 0);
  EXPECT_GE(look_until(life, 5'900), 5'900);
  answer();
  EXPECT_TRUE(life.look(5'950 * kMs));
  EXPECT_TRUE(life.look(60'000 * kMs)) << "and the silence begins anew";
}

TEST_F(LifeSignTest, OneThatHangsUpLives) {
  LifeSign life;
  life.begin(path_, 0);
  life.look(1'000 * kMs);
  Fd(::accept(listener_.get(), nullptr, nullptr)).reset();
  life.look(1'250 * kMs);
  EXPECT_EQ(life.fd(), -1);
  EXPECT_EQ(life.next_look_ns(), 2'250 * kMs);
}

// The machine slept, or is so busy that this thread had no turn either.
TEST_F(LifeSignTest, TimeInWhichNobodyLookedIsNoSilence) {
  LifeSign life;
  life.begin(path_, 0);
  for (int look = 1; look <= 10; ++look) EXPECT_TRUE(life.look(look * 60'000 * kMs)) << look;
  EXPECT_FALSE(life.look(11 * 60'000 * kMs)) << "ten times half a second";
}

TEST_F(LifeSignTest, OneWhoseSocketHasGoneIsSilent) {
  LifeSign life;
  ::unlink(path_.c_str());
  life.begin(path_, 0);
  EXPECT_EQ(look_until(life, 60'000), 6'000);
}

TEST_F(LifeSignTest, ANewWorkerBeginsAnew) {
  LifeSign life;
  life.begin(path_, 0);
  EXPECT_GE(look_until(life, 5'900), 5'900);
  life.begin(path_, 5'900 * kMs);
  EXPECT_EQ(life.fd(), -1);
  EXPECT_TRUE(life.look(6'800 * kMs));
}

}  // namespace
}  // namespace tophand::backend
