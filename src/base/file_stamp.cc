#include "base/file_stamp.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

namespace tophand {

std::optional<FileStamp> WatchedFile::stamp() {
  struct stat status{};
  if (file_ && ::fstat(file_.get(), &status) == 0 && stamp_of(status) == last_) return last_;
  last_.reset();
  file_.reset(::open(path_.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  bool found = file_ && ::fstat(file_.get(), &status) == 0;
  if (found && S_ISLNK(status.st_mode)) {
    file_.reset();
    found = ::stat(path_.c_str(), &status) == 0;
  }
  error_ = found ? 0 : errno;
  if (found) last_ = stamp_of(status);
  return last_;
}

}  // namespace tophand
