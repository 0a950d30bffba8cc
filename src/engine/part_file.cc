#include "engine/part_file.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string_view>

namespace tophand::engine {
namespace {

std::filesystem::path folder_of(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? "." : parent;
}

Error already_there(const std::string& path) {
  return {Code::kConflict, "'" + path + "' is there already; --force replaces it"};
}

// Devices, pipes and sockets: a file of that name would take their place.
Result<> check_not_special(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status) || std::filesystem::is_regular_file(status)) return {};
  return fail(Code::kInvalid, "'" + path +
                                  "' is a device, a pipe or a socket, which a file would replace; "
                                  "name a file");
}

// The process that "NAME.part123" says it is of; nothing where the name is another.
std::optional<pid_t> writer_of(std::string_view file, std::string_view name) {
  constexpr std::string_view kPart = ".part";
  if (!file.starts_with(name) || !file.substr(name.size()).starts_with(kPart)) return std::nullopt;
  const std::string_view digits = file.substr(name.size() + kPart.size());
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), pid);
  if (error != std::errc() || end != digits.data() + digits.size() || pid <= 0) return std::nullopt;
  return pid;
}

// A process that was killed leaves its part, gigabytes at times. Untouched for a while, as a
// process of another machine or container, which cannot be asked for, writes all the time.
void remove_left_parts(const std::string& path) {
  constexpr auto kUntouched = std::chrono::minutes(10);
  const std::string name = std::filesystem::path(path).filename();
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder_of(path), error), end; !error && it != end;
       it.increment(error)) {
    const auto pid = writer_of(it->path().filename().native(), name);
    if (!pid || ::kill(*pid, 0) == 0 || errno != ESRCH) continue;
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(it->symlink_status(ignored))) continue;
    const auto written = it->last_write_time(ignored);
    if (!ignored && written + kUntouched < std::filesystem::file_time_type::clock::now())
      std::filesystem::remove(it->path(), ignored);
  }
}

}  // namespace

PartFile::PartFile(const std::string& final_path)
    : final_path_(final_path), path_(final_path + ".part" + std::to_string(::getpid())) {}

PartFile::~PartFile() {
  ::unlink(path_.c_str());
}

Result<> PartFile::check(bool replace) const {
  std::error_code error;
  const auto folder = folder_of(final_path_);
  if (!std::filesystem::is_directory(folder, error))
    return fail(Code::kNotFound, "the folder '" + folder.string() + "' of '" + final_path_ +
                                     "' is not there; make it first");
  if (final_path_.ends_with('/') || std::filesystem::is_directory(final_path_, error))
    return fail(Code::kInvalid, "'" + final_path_ + "' is a folder; name a file in it");
  if (auto done = check_not_special(final_path_); !done) return done;
  if (!replace && std::filesystem::exists(final_path_, error))
    return tl::unexpected(already_there(final_path_));
  remove_left_parts(final_path_);
  return {};
}

Result<> PartFile::publish(bool replace) {
  // Once more: the work may have taken minutes.
  if (auto done = check_not_special(final_path_); !done) return done;
  // A link, unlike a rename, fails when that name is taken.
  const bool done = replace ? ::rename(path_.c_str(), final_path_.c_str()) == 0
                            : ::link(path_.c_str(), final_path_.c_str()) == 0;
  if (!done && errno == EEXIST) return tl::unexpected(already_there(final_path_));
  if (!done && replace) return tl::unexpected(io_error("rename"));
  // Some file systems have no links.
  if (!done &&
      (std::filesystem::exists(final_path_) || ::rename(path_.c_str(), final_path_.c_str()) != 0))
    return tl::unexpected(io_error("name"));
  sync_folder();
  return {};
}

Error PartFile::io_error(const char* what) const {
  return {Code::kIo, std::string(what) + " '" + final_path_ + "': " + std::strerror(errno)};
}

void PartFile::sync_folder() const {
  const int fd = ::open(folder_of(final_path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;  // the file is there; only a crash right now could lose its name
  ::fsync(fd);
  ::close(fd);
}

}  // namespace tophand::engine
