// What model files say about themselves, told by a process of this program: the gateway parses no
// model file, and a hostile one costs that process only. Answers are kept. Thread-safe.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/json_fwd.h"
#include "base/result.h"
#include "models/store.h"

namespace tophand::server {

class ModelInspector {
 public:
  explicit ModelInspector(std::string program) : program_(std::move(program)) {}
  // engine/inspect.h has the shape. kInvalid: no model file, with what is wrong.
  Result<std::shared_ptr<const Json>> inspect(const models::InstalledModel& model);
  // The same with vocabularies and the like; not kept.
  Result<std::shared_ptr<const Json>> inspect_whole(const models::InstalledModel& model) const;

 private:
  std::string program_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const Json>> known_;
};

}  // namespace tophand::server
