#include "ledger/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

namespace tophand::ledger {

Result<FileLock> FileLock::take(const std::string& path, int wait_ms) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return fail(Code::kIo, path + ": " + std::strerror(errno));
  FileLock lock(fd);
  // flock has no deadline of its own, and a blocking one cannot be given up; so it is polled.
  using std::chrono::steady_clock;
  const auto deadline = steady_clock::now() + std::chrono::milliseconds(wait_ms);
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      return fail(Code::kIo, path + ": " + std::strerror(errno));
    if (steady_clock::now() >= deadline)
      return fail(Code::kUnavailable, "another tophand process has it open");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return lock;
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace tophand::ledger
