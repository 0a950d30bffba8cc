// What `tophand doctor` looks at. Each check says what it found and, when something is wrong, how
// to mend it. Checks change nothing: no folder is created, no file written.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/config.h"

namespace tophand::cli {

enum class Health : std::uint8_t { kOk, kWarn, kFail };
std::string_view health_name(Health health);  // "ok", "warn", "fail"

struct Check {
  std::string name;  // "claude key"
  Health health = Health::kOk;
  std::string found;
  std::string mend = "";  // what to do; "" when nothing is wrong
};

struct DoctorOptions {
  config::Paths paths;
  config::Environment env;
  bool offline = false;  // do not try to reach the Claude API, or other machines
  int connect_timeout_ms = 3'000;
};

// In the order in which a person would mend them. A broken configuration is one failed check; the
// others then look at the defaults.
std::vector<Check> run_checks(const DoctorOptions& options);

// The ones that look at files only; `local` is the model that answers local work.
Check check_data_folder(const std::string& dir);
Check check_free_disk(const std::string& dir);
std::vector<Check> check_models(const std::string& models_dir, const std::string& local,
                                const config::Config& config);
Check check_api_keys(const std::string& data_dir);
// The gateway that TOPHAND_URL names, else the one that runs on `data_dir`, and, one check each,
// what it says is wrong.
std::vector<Check> check_gateway(const std::string& data_dir, const config::Environment& env);
Check check_claude_key(const config::ClaudeConfig& claude);
// Each of [[backends]], asked as the gateway asks it; its key goes to nobody else.
std::vector<Check> check_backends(const std::vector<config::BackendConfig>& backends);
// One request without credentials: any HTTP answer will do.
Check check_claude_reach(const config::ClaudeConfig& claude, int connect_timeout_ms);

}  // namespace tophand::cli
