#include "base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <cstring>

namespace tophand {

Result<Fd> lock_file(const std::string& path) {
  Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  while (file && ::flock(file.get(), LOCK_EX) != 0)
    if (errno != EINTR) return fail(Code::kIo, "cannot lock " + path + ": " + std::strerror(errno));
  if (!file) return fail(Code::kIo, "cannot lock " + path + ": " + std::strerror(errno));
  return file;
}

}  // namespace tophand
