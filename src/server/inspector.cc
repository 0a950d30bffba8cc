#include "server/inspector.h"

#include "base/json.h"
#include "base/subprocess.h"

namespace tophand::server {
namespace {

constexpr std::size_t kKnownMax = 64;
constexpr std::size_t kErrorBytesMax = 1000;
constexpr int kTimeoutMs = 60'000;

Result<std::shared_ptr<const Json>> ask(const std::string& program, const std::string& path,
                                        bool arrays) {
  ProcessOptions options;
  options.argv = {program, "engine", "--inspect", path};
  if (arrays) options.argv.emplace_back("--arrays");
  options.timeout_ms = kTimeoutMs;
  TOPHAND_TRY(done, "inspect model", run_process(options));
  if (done.exit_code != 0)
    return fail(Code::kInvalid, "inspect model: " + done.err.substr(0, kErrorBytesMax));
  TOPHAND_TRY(json, "inspect model", parse_json(done.out));
  return std::make_shared<const Json>(std::move(json));
}

}  // namespace

Result<std::shared_ptr<const Json>> ModelInspector::inspect(const models::InstalledModel& model) {
  const std::string key = model.path + '\n' + model.sha256;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = known_.find(key); found != known_.end()) return found->second;
  }
  auto told = ask(program_, model.path, false);
  if (!told) return told;
  const std::lock_guard lock(mutex_);
  if (known_.size() >= kKnownMax) known_.clear();
  known_[key] = *told;
  return told;
}

Result<std::shared_ptr<const Json>> ModelInspector::inspect_whole(
    const models::InstalledModel& model) const {
  return ask(program_, model.path, true);
}

}  // namespace tophand::server
