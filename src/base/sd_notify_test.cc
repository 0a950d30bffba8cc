#include "base/sd_notify.h"

#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/random.h"

namespace tophand {
namespace {

TEST(SdNotify, DoesNothingOutsideAService) {
  unsetenv("NOTIFY_SOCKET");
  EXPECT_FALSE(sd_notify("READY=1"));
  setenv("NOTIFY_SOCKET", "relative", 1);
  EXPECT_FALSE(sd_notify("READY=1"));
  unsetenv("NOTIFY_SOCKET");
}

TEST(SdNotify, SendsOneDatagramToTheNamedSocket) {
  const std::string name = "tophand-" + random_hex(8);  // in the abstract name space: no file
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), size), 0);
  setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
  EXPECT_TRUE(sd_notify("READY=1\nSTATUS=fine"));
  unsetenv("NOTIFY_SOCKET");
  std::array<char, 100> text{};
  const ssize_t n = recv(fd, text.data(), text.size(), 0);
  EXPECT_EQ(std::string(text.data(), static_cast<std::size_t>(n)), "READY=1\nSTATUS=fine");
  close(fd);
}

TEST(SdNotify, TheWatchdogIsOnlyOursWhenItNamesThisProcess) {
  unsetenv("WATCHDOG_USEC");
  unsetenv("WATCHDOG_PID");
  EXPECT_EQ(sd_watchdog_usec(), 0);
  setenv("WATCHDOG_USEC", "30000000", 1);
  EXPECT_EQ(sd_watchdog_usec(), 30'000'000);
  setenv("WATCHDOG_PID", "1", 1);
  EXPECT_EQ(sd_watchdog_usec(), 0);
  setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  EXPECT_EQ(sd_watchdog_usec(), 30'000'000);
  unsetenv("WATCHDOG_USEC");
  unsetenv("WATCHDOG_PID");
}

}  // namespace
}  // namespace tophand
