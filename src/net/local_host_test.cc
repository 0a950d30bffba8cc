#include "net/local_host.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <string>

namespace tophand::net {
namespace {

TEST(LocalHost, LoopbackIsThisMachineInEverySpelling) {
  for (const char* host : {"localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1", "[::1]"})
    EXPECT_TRUE(is_this_machine(host)) << host;
}

TEST(LocalHost, ItsOwnNameIsThisMachine) {
  std::array<char, 256> name{};
  ASSERT_EQ(::gethostname(name.data(), name.size() - 1), 0);
  EXPECT_TRUE(is_this_machine(name.data())) << name.data();
}

TEST(LocalHost, NoOtherIs) {
  // 203.0.113.0/24 and 2001:db8::/32 are for examples (RFC 5737, 3849); the fourth is a name.
  for (const char* host : {"203.0.113.1", "2001:db8::1", "api.anthropic.com",
                           "127.0.0.1.example.org", "localhost.example.org", "", "[]", "0.0.0.0"})
    EXPECT_FALSE(is_this_machine(host)) << host;
}

}  // namespace
}  // namespace tophand::net
