#include "server/rejected_answers.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/json.h"
#include "base/log.h"

namespace tophand::server {

void RejectedAnswers::add(const dispatch::Rejected& rejected, std::int64_t now_ms) {
  const std::string& prompt = rejected.prompt;
  const std::size_t cut = prompt.size() > kPromptBytesMax ? prompt.size() - kPromptBytesMax : 0;
  const std::string line = dump_json({{"time_ms", now_ms},
                                      {"request_id", rejected.attempt.request_id},
                                      {"attempt", rejected.attempt.attempt},
                                      {"task_class", rejected.attempt.task_class},
                                      {"backend", rejected.attempt.backend},
                                      {"model", rejected.attempt.model},
                                      {"why", rejected.why},
                                      {"prompt", prompt.substr(cut)},
                                      {"answer", rejected.answer}}) +
                           "\n";
  const std::lock_guard lock(mutex_);
  struct stat about = {};
  if (::stat(path_.c_str(), &about) == 0 &&
      about.st_size + static_cast<std::int64_t>(line.size()) > kFileBytesMax)
    ::rename(path_.c_str(), (path_ + ".1").c_str());
  const int fd =
      ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  const bool good = fd >= 0 && ::fchmod(fd, 0600) == 0 &&
                    ::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  if (!good) log::warn("rejected.not_kept", {{"file", path_}, {"error", std::strerror(errno)}});
  if (fd >= 0) ::close(fd);
}

}  // namespace tophand::server
