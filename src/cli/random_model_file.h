// The file that `tophand bench --shape` measures: random weights in the cache folder, gone when the
// program ends in whatever way, unless it is to be kept.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "base/result.h"
#include "engine/benchmark/model_shape.h"

namespace tophand::cli {

struct RandomModelPlan {
  engine::ModelShape shape;
  std::uint64_t seed = 1;
  bool keep = false;
  std::string folder;  // made when it is not there
  std::string name;    // of the file when it is kept

  std::string path() const { return folder + "/" + name; }
};

// $XDG_CACHE_HOME/tophand, or ~/.cache/tophand.
std::string cache_folder();

class RandomModelFile {
 public:
  // Writes the file. Unless it is kept its name is removed before the first byte: it lives for as
  // long as this object has it open, and nothing stays even of a program that is killed. kIo with
  // what to do when the disk has no room.
  static Result<RandomModelFile> create(const RandomModelPlan& plan,
                                        const std::function<bool(double)>& keep_going);
  RandomModelFile(RandomModelFile&& other) noexcept
      : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}
  RandomModelFile& operator=(RandomModelFile&&) = delete;
  ~RandomModelFile();

  const std::string& path() const { return path_; }  // to open it by

 private:
  RandomModelFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string path_;
  int fd_ = -1;
};

}  // namespace tophand::cli
