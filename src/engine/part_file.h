// A file that appears under its name only when it is complete: it is written beside it as
// NAME.part<pid>, and that is removed again unless publish() gave it the name.
#pragma once

#include <string>

#include "base/result.h"

namespace tophand::engine {

class PartFile {
 public:
  explicit PartFile(const std::string& final_path);
  ~PartFile();
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  const std::string& path() const { return path_; }

  // What can be known before the work: kNotFound without the folder, kInvalid where the name is a
  // folder's, a device's, a pipe's or a socket's, kConflict where it is taken and `replace` is not
  // set.
  // Where it all is as it should be, parts that killed processes left of the same file are removed.
  Result<> check(bool replace) const;

  // Gives the file its name, durably. Whoever writes has synced it. kConflict as above, kIo.
  Result<> publish(bool replace);

 private:
  Error io_error(const char* what) const;
  void sync_folder() const;

  std::string final_path_, path_;
};

}  // namespace tophand::engine
