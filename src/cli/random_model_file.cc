#include "cli/random_model_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "cli/progress.h"
#include "engine/benchmark/random_model.h"

namespace tophand::cli {
namespace {

Result<> check_room(const RandomModelPlan& plan) {
  std::error_code error;
  std::filesystem::create_directories(plan.folder, error);
  if (error)
    return fail(Code::kIo, "cannot make the folder '" + plan.folder + "': " + error.message() +
                               "; set XDG_CACHE_HOME to one that can be written");
  TOPHAND_TRY(bytes, "random model", engine::random_model_bytes(plan.shape));
  const auto space = std::filesystem::space(plan.folder, error);
  if (error || space.available >= bytes) return {};
  return fail(Code::kIo, "the random model takes " + format_bytes(bytes) + ", '" + plan.folder +
                             "' has " + format_bytes(space.available) +
                             "; set XDG_CACHE_HOME to a folder with more room");
}

}  // namespace

std::string cache_folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && cache[0] == '/') return std::string(cache) + "/tophand";
  const char* home = std::getenv("HOME");
  return std::string(home != nullptr && home[0] != '\0' ? home : "/root") + "/.cache/tophand";
}

Result<RandomModelFile> RandomModelFile::create(const RandomModelPlan& plan,
                                                const std::function<bool(double)>& keep_going) {
  TOPHAND_CHECK("random model", check_room(plan));
  const std::string part = plan.path() + "." + std::to_string(::getpid()) + ".part";
  if (plan.keep) {
    TOPHAND_CHECK("random model",
                  engine::write_random_model(part, plan.shape, plan.seed, keep_going));
    if (std::rename(part.c_str(), plan.path().c_str()) == 0)
      return RandomModelFile(plan.path(), -1);
    (void)std::remove(part.c_str());
    return fail(Code::kIo, "cannot write '" + plan.path() + "'");
  }
  const int fd = ::open(part.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  (void)std::remove(part.c_str());  // before a byte is written: the program may be killed
  if (fd < 0) return fail(Code::kIo, "cannot make a file in '" + plan.folder + "'");
  RandomModelFile out("/proc/self/fd/" + std::to_string(fd), fd);
  const int writing = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (writing < 0) return fail(Code::kIo, "cannot open one more file");
  TOPHAND_CHECK("random model",
                engine::write_random_model(writing, part, plan.shape, plan.seed, keep_going));
  return out;
}

RandomModelFile::~RandomModelFile() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace tophand::cli
