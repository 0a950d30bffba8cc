#include "engine/part_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

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
