#include "base/file_stamp.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <ctime>

namespace tophand {

namespace {

// The longest step of a file system's times is two seconds (FAT's).
constexpr std::int64_t kStepS = 3;

bool is_settled(const FileStamp& stamp) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec - stamp.changed_s > kStepS;
}

}  // namespace

std::optional<FileStamp> WatchedFile::stamp() {
  struct stat status{};
  if (settled_ && ::fstat(file_.get(), &status) == 0 && stamp_of(status) == last_) return last_;
  last_.reset();
  settled_ = false;
  file_.reset(::open(path_.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  bool found = file_ && ::fstat(file_.get(), &status) == 0;
  const bool is_link = found && S_ISLNK(status.st_mode);
  if (is_link) found = ::stat(path_.c_str(), &status) == 0;
  error_ = found ? 0 : errno;
  if (!found) return last_;
  last_ = stamp_of(status);
  settled_ = !is_link && is_settled(*last_);
  return last_;
}

}  // namespace tophand
