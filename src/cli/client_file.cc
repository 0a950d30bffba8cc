#include "cli/client_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/fd.h"
#include "base/private_file.h"

namespace tophand::cli {
namespace {

constexpr int kCopiesMax = 100;

tl::unexpected<Error> unreadable(const std::string& path) {
  return fail(Code::kIo, "cannot read " + path + ": " + std::strerror(errno));
}

bool is_there(const std::string& path) {  // be it a link to nothing
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0;
}

}  // namespace

Result<std::optional<std::string>> read_client_file(const std::string& path) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file && errno == ENOENT) {
    if (!is_there(path)) return std::optional<std::string>{};
    return fail(Code::kConflict,
                path +
                    " is a link to a file that is not there: make that file (empty "
                    "will do), or take the link away");
  }
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0) return unreadable(path);
  if (!S_ISREG(status.st_mode))
    return fail(Code::kInvalid,
                path + " is not a regular file: move it away, so that one can be written there");
  std::string text;
  std::array<char, 65536> buffer{};
  while (true) {
    const ssize_t n = ::read(file.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return unreadable(path);
    if (n == 0) return std::optional(std::move(text));
    text.append(buffer.data(), static_cast<std::size_t>(n));
    if (text.size() > kClientFileBytesMax)
      return fail(Code::kTooLarge, path + " is larger than 4 MiB");
  }
}

Result<> write_client_file(const std::string& path, std::string_view text) {
  std::error_code failed;
  const std::filesystem::path target = std::filesystem::weakly_canonical(path, failed);
  if (failed) return fail(Code::kIo, path + ": " + failed.message());
  std::filesystem::create_directories(target.parent_path(), failed);
  if (failed)
    return fail(Code::kIo, "create " + target.parent_path().string() + ": " + failed.message());
  return write_private_file(target.string(), text);
}

Result<std::string> free_copy_name(const std::string& path) {
  std::string name = path + ".before-tophand";
  if (!is_there(name)) return name;
  for (int number = 2; number <= kCopiesMax; ++number)
    if (std::string next = name + "." + std::to_string(number); !is_there(next)) return next;
  return fail(Code::kConflict, "there are 100 copies " + name + ".NUMBER: move them away");
}

}  // namespace tophand::cli
