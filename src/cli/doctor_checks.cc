#include "cli/doctor_checks.h"

#include <sched.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iterator>

#include "backend/registry.h"
#include "cli/config_checks.h"
#include "cli/gateway_client.h"
#include "cli/model_path.h"
#include "cli/status_report.h"
#include "cli/temporary_gateway.h"
#include "engine/memory.h"
#include "engine/model.h"
#include "kernels/cpu.h"
#include "models/catalogue.h"
#include "models/store.h"
#include "net/client.h"

namespace tophand::cli {
namespace {

// The default model, its partial download and a ledger fit in this.
constexpr std::uint64_t kDiskBytesWanted = 3ull << 30;
// What models::Store writes beside each file (doctor_checks_test.cc notices when that changes).
constexpr std::string_view kRecordSuffix = ".model.json";
// Beside the weights, where the file is not there to ask: KV cache, activations.
constexpr std::int64_t kMemoryBytesBeside = 512ll << 20;

int usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 0;
  return CPU_COUNT(&set);
}

Check check_processor(const std::string& forced) {
  Check check{.name = "processor", .found = kernels::cpu_model_name()};
  if (const int cores = usable_cores(); cores > 0)
    check.found += ", " + std::to_string(cores) + (cores == 1 ? " thread" : " threads");
  std::string usable;
  for (const kernels::IsaInfo& set : kernels::instruction_sets())
    if (set.compiled && set.runs_here) (usable += usable.empty() ? "" : ", ") += set.name;
  kernels::Isa isa{};
  if (!kernels::pick_isa(forced, isa)) {
    check.health = Health::kFail;
    check.found += ", but engine.kernel '" + forced + "' cannot run here";
    check.mend = "set engine.kernel to one of: " + usable + "; or leave it empty for the fastest";
    return check;
  }
  for (const kernels::IsaInfo& set : kernels::instruction_sets())
    if (set.isa == isa) check.found += ", kernel " + std::string(set.name);
  check.found += " (of " + usable + ")";
  if (isa == kernels::Isa::kScalar) {
    check.health = Health::kWarn;
    check.mend = forced.empty() ? "no vector instructions were found here: answers will be slow"
                                : "engine.kernel forces the slow reference; leave it empty";
  }
  return check;
}

std::uint64_t model_bytes(const std::string& dir, const std::string& local) {
  if (const auto model = models::Store(dir).find(local)) return model->bytes;
  const models::CatalogueEntry* known = models::find_in_catalogue(local);
  return known == nullptr ? 0 : known->bytes;
}

Check check_memory(const std::string& models_dir, const std::string& local,
                   const config::Config& config) {
  const std::int64_t limit_mib = config.engine.memory_mib_max;
  const std::int64_t available = engine::available_memory_bytes();
  std::int64_t wanted =
      static_cast<std::int64_t>(model_bytes(models_dir, local)) + kMemoryBytesBeside;
  Check check{.name = "memory", .found = engine::human_bytes(available) + " free, "};
  Result<engine::Prospects> prospects = fail(Code::kNotFound, "not installed");
  if (const auto model = models::Store(models_dir).find(local))
    prospects = engine::Model::examine(load_options(*model, config));
  if (prospects) {
    wanted = prospects->memory.total();
    check.found += local + " takes " + engine::human_bytes(wanted) + " when its context is full";
  } else {
    check.found += "the local model wants about " + engine::human_bytes(wanted);
  }
  if (available < wanted) {
    check.health = Health::kWarn;
    check.mend = "close other programs, or set models.local to a smaller model (`tophand list`)";
  } else if (limit_mib > 0 && (limit_mib << 20) < wanted) {
    check.health = Health::kWarn;
    check.found += ", engine.memory_mib_max allows " + engine::human_bytes(limit_mib << 20);
    check.mend = "raise engine.memory_mib_max to " + std::to_string((wanted >> 20) + 1);
  }
  return check;
}

// The folder itself, or the nearest one above it that exists.
std::string existing(std::string dir) {
  struct stat status{};
  while (::stat(dir.c_str(), &status) != 0 && dir.size() > 1) {
    const std::size_t slash = dir.rfind('/');
    if (slash == std::string::npos) return ".";
    dir = slash == 0 ? "/" : dir.substr(0, slash);
  }
  return dir;
}

std::string octal(mode_t mode) {
  char text[8];
  std::snprintf(text, sizeof text, "%04o", static_cast<unsigned>(mode & 07777));
  return text;
}

}  // namespace

std::string_view health_name(Health health) {
  switch (health) {
    case Health::kOk:
      return "ok";
    case Health::kWarn:
      return "warn";
    case Health::kFail:
      return "fail";
  }
  return "fail";
}

Check check_data_folder(const std::string& dir) {
  Check check{.name = "data folder", .found = dir};
  struct stat status{};
  if (::stat(dir.c_str(), &status) != 0) {
    const std::string parent = existing(dir);
    if (errno != ENOENT || ::access(parent.c_str(), W_OK | X_OK) != 0) {
      check.health = Health::kFail;
      check.found += " cannot be created: " + parent + " is not writable";
      check.mend = "make " + parent + " writable, or name another folder with --data";
      return check;
    }
    check.found += " (not there yet; it is created when it is needed)";
  } else if (!S_ISDIR(status.st_mode)) {
    check.health = Health::kFail;
    check.found += " is not a folder";
    check.mend = "move it away, or name another folder with --data";
  } else if (::access(dir.c_str(), R_OK | W_OK | X_OK) != 0) {
    check.health = Health::kFail;
    check.found += " is not writable by this user";
    check.mend = "chown -R " + std::to_string(::getuid()) + " '" + dir + "'";
  } else if ((status.st_mode & 022) != 0) {
    check.health = Health::kFail;
    check.found += " can be written by others (mode " + octal(status.st_mode) + ")";
    check.mend = "chmod go-w '" + dir + "'";
  }
  return check;
}

Check check_free_disk(const std::string& dir) {
  Check check{.name = "disk", .found = ""};
  const std::string place = existing(dir);
  struct statvfs status{};
  if (::statvfs(place.c_str(), &status) != 0) {
    check.health = Health::kWarn;
    check.found = "free space of " + place + " cannot be read: " + std::strerror(errno);
    return check;
  }
  const std::uint64_t free = std::uint64_t{status.f_bavail} * status.f_frsize;
  check.found = engine::human_bytes(static_cast<std::int64_t>(free)) + " free at " + place;
  if (free < kDiskBytesWanted) {
    check.health = Health::kWarn;
    check.mend =
        "fetching the default model and joining its parts takes about 3 GiB; free some "
        "space, or set models.dir to another disk";
  }
  return check;
}

namespace {

// `names`: what is installed, for people.
Check check_local_model(const Result<models::InstalledModel>& found, const std::string& local,
                        const std::string& names, const config::Config& config) {
  if (!found)
    return {"models", Health::kFail,
            "models.local is '" + local + "', which is not installed" +
                (names.empty() ? "" : "; there is " + names),
            models::find_in_catalogue(local) != nullptr
                ? "tophand pull " + local
                : "set models.local to an installed model, or pull this one from a file or URL"};
  const std::string goes_to = names + "; local work goes to " + found->name;
  const auto prospects = engine::Model::examine(load_options(*found, config));
  if (!prospects)
    return {"models", Health::kFail, goes_to + ", which cannot run: " + prospects.error().message,
            "set models.local to a model that can run (`tophand list`), or pull this one again"};
  if (!prospects->chats)
    return {"models", Health::kFail,
            goes_to + ", which answers no chats: " + prospects->chats.error().message,
            "name what is missing, or set models.local to another model (`tophand list`)"};
  return {"models", Health::kOk, goes_to};
}

}  // namespace

std::vector<Check> check_models(const std::string& models_dir, const std::string& local,
                                const config::Config& config) {
  const auto installed = models::Store(models_dir).list();
  if (!installed)
    return {{"models", Health::kFail, installed.error().message, "make the folder readable"}};
  std::string names;
  for (const models::InstalledModel& model : *installed)
    (names += names.empty() ? "" : ", ") +=
        model.name + " (" + engine::human_bytes(static_cast<std::int64_t>(model.bytes)) +
        (engine::Model::examine(load_options(model, config)) ? ")" : ", cannot run)");
  std::vector<Check> checks{
      check_local_model(models::Store(models_dir).find(local), local, names, config)};
  // A record that list() leaves out is one whose file has gone or has another size.
  std::size_t records = 0;
  std::error_code ignored;
  for (std::filesystem::directory_iterator at(models_dir, ignored), end; !ignored && at != end;
       at.increment(ignored))
    if (at->path().filename().string().ends_with(kRecordSuffix)) ++records;
  if (records > installed->size())
    checks.push_back({"model files", Health::kWarn,
                      std::to_string(records - installed->size()) + " of " +
                          std::to_string(records) + " models in " + models_dir +
                          " lost their file, or it is not what was verified",
                      "`tophand list` shows the sound ones; pull the others again"});
  return checks;
}

Check check_api_keys(const std::string& data_dir) {
  Check check{.name = "api keys", .found = data_dir + "/keys"};
  struct stat status{};
  if (::stat(check.found.c_str(), &status) != 0) {
    check.found = "none yet; the first `tophand serve` makes one and shows it once";
  } else if ((status.st_mode & 077) != 0) {
    check.mend = "chmod 600 '" + check.found + "'";
    check.health = Health::kFail;
    check.found += " can be read by others (mode " + octal(status.st_mode) + ")";
  }
  return check;
}

namespace {

// Its keys and configuration are those of its start, which need not be those of here and now.
std::vector<Check> problems_of_gateway(const GatewayAddress& address) {
  const auto gateway = GatewayClient::at(address);
  const auto status = gateway ? (*gateway)->get("/tophand/v1/status")
                              : Result<std::string>(fail(Code::kInvalid, ""));
  if (!status)
    return {{"gateway", Health::kWarn, "does not say how it is: " + status.error().message,
             address.named ? "set TOPHAND_KEY to a key of the gateway at TOPHAND_URL"
                           : "start it again with `tophand serve`"}};
  std::vector<Check> checks;
  for (const Problem& problem : problems_of({.url = address.url, .status = *status}))
    checks.push_back({"gateway", Health::kWarn, problem.what, problem.remedy});
  return checks;
}

}  // namespace

std::vector<Check> check_gateway(const std::string& data_dir, const config::Environment& env) {
  const GatewayAddress address = gateway_address(env, data_dir);
  if (address.url.empty())
    return {{"gateway", Health::kOk,
             "not running; `tophand serve` starts it, and ask, run and "
             "commit start one for as long as they need it"}};
  const std::string where = (address.named ? "TOPHAND_URL=" : "") + address.url;
  if (!answers_health(address.url))
    return {{"gateway", Health::kWarn,
             "does not answer at " + where + (address.named ? "" : ", which it wrote at its start"),
             address.named ? "start it there, or unset TOPHAND_URL"
                           : "start it again with `tophand serve`"}};
  std::vector<Check> checks{{"gateway", Health::kOk, "answers at " + where}};
  std::ranges::move(problems_of_gateway(address), std::back_inserter(checks));
  return checks;
}

Check check_claude_key(const config::ClaudeConfig& claude) {
  if (!claude.keys.empty()) {
    std::string names;
    for (const config::ClaudeKey& key : claude.keys)
      (names += names.empty() ? "" : ", ") += key.name;
    return {"claude key", Health::kOk, "set (" + names + ")"};
  }
  return {"claude key", Health::kWarn,
          claude.allow_local_fallback ? "not set: high-priority requests are answered locally, too"
                                      : "not set: high-priority requests are refused",
          "set ANTHROPIC_API_KEY for the gateway, or claude.key_file in the configuration"};
}

std::vector<Check> check_backends(const std::vector<config::BackendConfig>& backends) {
  const auto registry = backend::Registry::create({.backends = backends, .clock = &system_clock()});
  if (!registry)
    return {{"backends", Health::kFail, registry.error().message, "correct the configuration"}};
  (*registry)->probe_all();
  std::vector<Check> checks;
  for (const backend::BackendStatus& status : (*registry)->status()) {
    Check check{.name = "backend " + status.name, .found = status.url};
    if (!status.up) {
      check.health = Health::kWarn;
      check.found += " (" + status.kind + "): " + status.reason;
      check.mend = "start it, or correct backends.url and key_file; until then others answer";
    } else if (!status.missing.empty()) {
      check.health = Health::kWarn;
      check.found += " does not list " + status.missing.front();
      check.mend = "correct backends.models or local_model: `tophand backends` shows what it has";
    } else {
      check.found += " answers, models: " + std::to_string(status.models.size());
    }
    checks.push_back(std::move(check));
  }
  return checks;
}

Check check_claude_reach(const config::ClaudeConfig& claude, int connect_timeout_ms) {
  Check check{.name = "claude api", .found = claude.base_url};
  const auto endpoint = net::parse_endpoint(claude.base_url);
  if (!endpoint) {
    check.health = Health::kFail;
    check.found += ": " + endpoint.error().message;
    check.mend = "correct claude.base_url or TOPHAND_CLAUDE_URL";
    return check;
  }
  net::ClientRequest request{.method = "GET", .path = "/"};
  request.connect_timeout_ms = request.first_byte_timeout_ms = connect_timeout_ms;
  const auto answer = net::Client::create(claude.ca_file)->send(*endpoint, request, nullptr);
  if (answer) {
    check.found += " answers";
    return check;
  }
  check.health = Health::kWarn;
  check.found += ": " + answer.error().message;
  check.mend = "check the network and a firewall on the way; without it only local models answer";
  return check;
}

namespace {

std::vector<Check> check_configuration(const DoctorOptions& options) {
  const std::string& file = options.paths.config_file;
  const auto usable = load_usable_config(options.paths, options.env);
  if (!usable)
    return {{"configuration", Health::kFail, usable.error().message,
             "correct " + file + "; `tophand config check` checks it"}};
  struct stat status{};
  const bool exists = ::stat(file.c_str(), &status) == 0;
  std::vector<Check> checks{
      {"configuration", Health::kOk, exists ? file : "defaults (there is no " + file + ")"}};
  for (const std::string& warning : config_warnings(*usable, options.paths.data_dir))
    checks.push_back({"configuration", Health::kWarn, warning, "correct " + file});
  return checks;
}

}  // namespace

std::vector<Check> run_checks(const DoctorOptions& options) {
  std::vector<Check> checks = check_configuration(options);
  // What cannot be used as a whole can still be looked at.
  const auto loaded = config::load_config(options.paths, options.env);
  config::Config config = loaded ? *loaded : config::Config{};
  if (config.models.dir.empty()) config.models.dir = options.paths.data_dir + "/models";

  checks.push_back(check_processor(config.engine.kernel));
  checks.push_back(check_memory(config.models.dir, config.models.local, config));
  checks.push_back(check_data_folder(options.paths.data_dir));
  checks.push_back(check_free_disk(config.models.dir));
  for (Check& check : check_models(config.models.dir, config.models.local, config))
    checks.push_back(std::move(check));
  checks.push_back(check_api_keys(options.paths.data_dir));
  std::ranges::move(check_gateway(options.paths.data_dir, options.env), std::back_inserter(checks));
  if (!options.offline)
    for (Check& check : check_backends(config.backends)) checks.push_back(std::move(check));
  checks.push_back(check_claude_key(config.claude));
  if (options.offline)
    checks.push_back(
        {"claude api", Health::kOk, config.claude.base_url + " (not tried: --offline)"});
  else checks.push_back(check_claude_reach(config.claude, options.connect_timeout_ms));
  return checks;
}

}  // namespace tophand::cli
