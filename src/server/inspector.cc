#include "server/inspector.h"

#include "base/ascii.h"
#include "base/json.h"
#include "base/subprocess.h"

namespace tophand::server {
namespace {

constexpr std::size_t kKnownMax = 64;
constexpr std::size_t kErrorBytesMax = 1000;
constexpr int kTimeoutMs = 60'000;

// Its error as a client may read it: where the files of this machine lie is nobody's business.
std::string said_without_path(std::string_view err, std::string_view path) {
  constexpr std::string_view kProgram = "tophand: ", kFile = "the file";
  std::string said(trimmed(err, " \r\n"));
  if (const std::size_t at = said.rfind('\n'); at != std::string::npos) said.erase(0, at + 1);
  if (said.starts_with(kProgram)) said.erase(0, kProgram.size());
  for (const std::string& shown : {"'" + std::string(path) + "'", std::string(path)})
    for (std::size_t at = said.find(shown); at != std::string::npos; at = said.find(shown, at))
      said.replace(at, shown.size(), kFile);
  return abridged(said, kErrorBytesMax);
}

Result<std::shared_ptr<const Json>> ask(const std::string& program, const std::string& path,
                                        bool arrays) {
  ProcessOptions options;
  options.argv = {program, "engine", "--inspect", path};
  if (arrays) options.argv.emplace_back("--arrays");
  options.timeout_ms = kTimeoutMs;
  TOPHAND_TRY(done, "inspect model", run_process(options));
  if (done.exit_code != 0)
    return fail(Code::kInvalid, "inspect model: " + said_without_path(done.err, path));
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
