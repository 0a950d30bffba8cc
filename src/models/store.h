// The user's model folder: catalogue names to verified GGUF files. The gateway never parses a model
// file; it only knows paths, sizes and hashes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tophand::models {

struct InstalledModel {
  std::string name;  // "qwen2.5-coder:1.5b"; imported files: their stem
  std::string path;  // absolute
  std::uint64_t bytes = 0;
  std::string sha256 = {};  // 64 hex digits
  std::string family = {}, parameter_size = {},
              quantization = {};  // from the catalogue or `engine --inspect`
  std::int64_t context_tokens = 0;
  std::int64_t modified_ms = 0;
};

bool is_sha256(std::string_view text);  // 64 lower-case hex digits

class Store {
 public:
  explicit Store(std::string dir) : dir_(std::move(dir)) {}
  const std::string& dir() const { return dir_; }
  Result<std::vector<InstalledModel>> list() const;  // sorted by name
  // Exact name, name with ":latest", or an unambiguous prefix. kNotFound with what is there and how
  // to get it ("tophand pull NAME").
  Result<InstalledModel> find(std::string_view name) const;
  // Records a verified file (already in dir(), or outside it for imports by reference).
  Result<> add(const InstalledModel& model);
  Result<> remove(std::string_view name);

 private:
  std::string dir_;
};

}  // namespace tophand::models
