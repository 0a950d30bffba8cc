#include "base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <cstring>

namespace tophand {

namespace {

tl::unexpected<Error> cannot_lock(const std::string& path) {
  const char* advice = errno == EROFS || errno == EACCES || errno == ENOENT
                           ? "; its folder must be there and be writable for this user"
                           : "";
  return fail(Code::kIo, "cannot lock " + path + ": " + std::strerror(errno) + advice);
}

}  // namespace

Result<Fd> lock_file(const std::string& path) {
  Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  while (file && ::flock(file.get(), LOCK_EX) != 0)
    if (errno != EINTR) return cannot_lock(path);
  if (!file) return cannot_lock(path);
  return file;
}

}  // namespace tophand
