#include "base/private_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/random.h"

namespace tophand {
namespace {

tl::unexpected<Error> system_error(const std::string& path) {
  return fail(Code::kIo, "write " + path + ": " + std::strerror(errno));
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
    else if (n < 0 && errno != EINTR) return false;
  }
  return true;
}

Result<> sync_folder(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return system_error(folder);
  Result<> done;
  if (::fsync(fd) != 0 && errno != EINVAL) done = system_error(folder);  // not all can be synced
  ::close(fd);
  return done;
}

}  // namespace

Result<> write_private_file(const std::string& path, std::string_view bytes) {
  const std::string part = path + "." + random_hex(6) + ".new";
  const int fd = ::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return system_error(part);
  Result<> done;
  if (!write_all(fd, bytes) || ::fsync(fd) != 0) done = system_error(part);
  ::close(fd);
  if (done && ::rename(part.c_str(), path.c_str()) != 0) done = system_error(path);
  if (done) return sync_folder(path);
  ::unlink(part.c_str());
  return done;
}

}  // namespace tophand
