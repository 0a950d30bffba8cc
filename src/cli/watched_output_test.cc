#include "cli/watched_output.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <ostream>
#include <sstream>

namespace tophand::cli {
namespace {

// Takes `room` bytes, then fails as a full disk does.
class FullDisk : public std::streambuf {
 public:
  explicit FullDisk(std::streamsize room) : room_(room) {}

 protected:
  int_type overflow(int_type c) override {
    const char byte = traits_type::to_char_type(c);
    return xsputn(&byte, 1) == 1 ? c : traits_type::eof();
  }
  std::streamsize xsputn(const char*, std::streamsize size) override {
    if (size <= room_) return room_ -= size, size;
    errno = ENOSPC;
    return 0;
  }
  int sync() override { return room_ == 0 ? (errno = ENOSPC, -1) : 0; }

 private:
  std::streamsize room_;
};

TEST(WatchedOutput, PassesEverythingOn) {
  std::stringbuf inner;
  WatchedOutput watched(inner);
  std::ostream out(&watched);
  out << "a key: " << 42 << '\n' << std::flush;
  EXPECT_EQ(inner.str(), "a key: 42\n");
  EXPECT_EQ(watched.error(), 0);
}

TEST(WatchedOutput, RemembersTheFirstFailure) {
  FullDisk disk(4);
  WatchedOutput watched(disk);
  std::ostream out(&watched);
  out << "abc";
  EXPECT_EQ(watched.error(), 0);
  out << "def";
  EXPECT_FALSE(out);
  errno = EPIPE;  // what happens later does not change why
  out << "g" << std::flush;
  EXPECT_EQ(watched.error(), ENOSPC);
}

TEST(WatchedOutput, RemembersAFlushThatFails) {
  FullDisk disk(0);
  WatchedOutput watched(disk);
  std::ostream out(&watched);
  out.flush();
  EXPECT_FALSE(out);
  EXPECT_EQ(watched.error(), ENOSPC);
}

TEST(WatchedOutput, RemembersASingleCharacterThatFails) {
  FullDisk disk(0);
  WatchedOutput watched(disk);
  EXPECT_EQ(watched.sputc('x'), std::streambuf::traits_type::eof());
  EXPECT_EQ(watched.error(), ENOSPC);
}

}  // namespace
}  // namespace tophand::cli
