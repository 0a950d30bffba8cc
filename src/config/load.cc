#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "config/checks.h"
#include "config/config.h"
#include "config/schema.h"

namespace tophand::config {
namespace {

constexpr std::size_t kConfigBytesMax = (1u << 20) + 1;  // one more than the parser takes
constexpr std::size_t kKeyNameBytesMax = 40;
constexpr std::size_t kKeyBytesMax = 4096 + 2;  // and a line ending

// Owns a descriptor that is open for reading. Opening does not wait for anybody (a FIFO).
class OpenFile {
 public:
  explicit OpenFile(const std::string& path)
      : path_(path), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (fd_ < 0 || ::fstat(fd_, &status_) != 0) error_ = errno;
  }
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  int error() const { return error_; }  // errno, or 0
  mode_t mode() const { return status_.st_mode; }
  // At most `bytes_max` bytes from the start. kConfig: not a file, or unreadable.
  Result<std::string> read(std::size_t bytes_max) const {
    if (!S_ISREG(mode())) return fail(Code::kConfig, path_ + " is not a file");
    std::string text;
    std::array<char, 4096> buffer;
    while (text.size() < bytes_max) {
      const ssize_t n =
          ::read(fd_, buffer.data(), std::min(buffer.size(), bytes_max - text.size()));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail(Code::kConfig, path_ + ": " + std::strerror(errno));
      if (n == 0) break;
      text.append(buffer.data(), static_cast<std::size_t>(n));
    }
    return text;
  }

 private:
  std::string path_;
  int fd_ = -1;
  int error_ = 0;
  struct stat status_{};
};

std::string variable(const Environment& env, const std::string& name) {
  const auto it = env.find(name);
  return it == env.end() ? "" : it->second;
}

Result<> override_from(const Environment& env, const std::string& name,
                       Result<> (*check)(const std::string&), std::string& value) {
  const std::string found = variable(env, name);
  if (found.empty()) return {};
  TOPHAND_CHECK(name, check(found));
  value = found;
  return {};
}

// The key lies in a file that nobody else may read: what others can read is no secret. The opened
// file is checked, not its name.
Result<std::string> read_key_file(const std::string& setting, const std::string& path) {
  const OpenFile file(path);
  if (file.error() != 0)
    return fail(Code::kConfig, setting + " " + path + ": " + std::strerror(file.error()));
  if ((file.mode() & 077) != 0 && S_ISREG(file.mode()))
    return fail(Code::kConfig,
                setting + " " + path + " can be read by others; run `chmod 600 " + path + "`");
  TOPHAND_TRY(text, setting, file.read(kKeyBytesMax));
  text.erase(text.find_last_not_of(" \t\r\n") + 1);
  TOPHAND_CHECK(setting + " " + path, check_secret(text));
  return text;
}

// "~/" is the home folder; a relative path in the file is beside the file, wherever we were
// started.
void resolve_paths(Config& config, const Paths& paths, const Environment& env) {
  const std::size_t slash = paths.config_file.rfind('/');
  const std::string folder =
      slash == std::string::npos ? "./" : paths.config_file.substr(0, slash + 1);
  std::vector<std::string*> settings{
      &config.models.dir,     &config.models.mirror,         &config.claude.key_file,
      &config.claude.ca_file, &config.claude.admin_key_file, &config.prices_file};
  for (std::string& path : config.claude.key_files) settings.push_back(&path);
  for (ClaudeKeyConfig& key : config.claude.limited_keys) settings.push_back(&key.file);
  for (BackendConfig& backend : config.backends)
    for (std::string* path : {&backend.key_file, &backend.ca_file}) settings.push_back(path);
  for (std::string* path : settings) {
    if (path->empty() || path->front() == '/' || path->find("://") != std::string::npos) continue;
    if (path->starts_with("~/")) *path = variable(env, "HOME") + path->substr(1);
    else path->insert(0, folder);
  }
}

// "keys/alice.key" is called "alice".
std::string key_name(const std::string& path) {
  std::string name = path.substr(path.rfind('/') + 1);
  name = name.substr(0, std::min(name.rfind('.'), kKeyNameBytesMax));
  for (char& c : name)
    if (c <= ' ' || c >= 0x7f) c = '?';
  return name;
}

// Access tokens of an account look like this; API keys do not.
bool is_token(const std::string& secret) {
  return secret.starts_with("sk-ant-oat");
}

Result<> add_key_file(ClaudeConfig& claude, const std::string& setting,
                      const ClaudeKeyConfig& key) {
  TOPHAND_TRY(secret, "read the Claude key", read_key_file(setting, key.file));
  const bool bearer = is_token(secret);
  claude.keys.push_back(
      {key_name(key.file), std::move(secret), bearer, key.concurrency, key.requests_per_minute});
  return {};
}

Result<> find_claude_keys(ClaudeConfig& claude, const Environment& env) {
  std::string key, token;
  TOPHAND_CHECK("environment", override_from(env, "ANTHROPIC_API_KEY", check_secret, key));
  TOPHAND_CHECK("environment", override_from(env, "ANTHROPIC_AUTH_TOKEN", check_secret, token));
  if (!key.empty()) claude.keys.push_back({.name = "env", .secret = key, .bearer = is_token(key)});
  // One of our own keys is there for the clients that are started from the same shell.
  if (!token.empty() && !token.starts_with("th-"))
    claude.keys.push_back({.name = "token", .secret = token, .bearer = true});
  if (claude.keys.empty() && !claude.key_file.empty())
    TOPHAND_CHECK("claude", add_key_file(claude, "claude.key_file", {.file = claude.key_file}));
  for (const std::string& path : claude.key_files)
    TOPHAND_CHECK("claude", add_key_file(claude, "claude.key_files", {.file = path}));
  for (const ClaudeKeyConfig& limited : claude.limited_keys)
    TOPHAND_CHECK("claude", add_key_file(claude, "claude.keys.file", limited));
  return {};
}

Result<> check(const Config& config) {
  TOPHAND_CHECK("claude.base_url", check_claude_url(config.claude.base_url));
  TOPHAND_CHECK("server.listen", check_listen(config.server.listen));
  if (config.energy.watts_busy != 0 && config.energy.watts_busy < config.energy.watts_idle)
    return fail(Code::kConfig, "energy.watts_busy is below energy.watts_idle");
  if (auto calendar = calendar_of(config.budget); !calendar)
    return tl::unexpected(std::move(calendar).error());
  if (!config.defer.night.empty() && !parse_hours(config.defer.night))
    return fail(Code::kConfig, "defer.night: expected hours such as 22:00-06:00, found '" +
                                   config.defer.night + "'");
  return {};
}

Result<Config> from_file(const Paths& paths) {
  const OpenFile file(paths.config_file);
  if (file.error() == ENOENT && !paths.config_named) return Config{};
  // One that is there but cannot be read is an error even unnamed: silent defaults would surprise.
  if (file.error() != 0)
    return fail(Code::kConfig,
                "configuration " + paths.config_file + ": " + std::strerror(file.error()) +
                    (file.error() == ENOENT ? "; `tophand config init` writes one" : ""));
  TOPHAND_TRY(text, "read", file.read(kConfigBytesMax));
  return parse_config(text, paths.config_file);
}

std::string toml_value(const Place& place) {
  struct Writer {
    std::string operator()(const std::string* text) const { return "\"" + *text + "\""; }
    std::string operator()(const std::int64_t* number) const { return std::to_string(*number); }
    std::string operator()(const bool* flag) const { return *flag ? "true" : "false"; }
    std::string operator()(const std::optional<bool>*) const { return "true"; }
    std::string operator()(const double*) const { return "0.0"; }
    std::string operator()(const std::optional<double>*) const { return "100.0"; }
    std::string operator()(const Patterns*) const { return "[]"; }
    std::string operator()(const std::vector<std::string>*) const { return "[]"; }
    std::string operator()(const std::map<std::string, std::string>*) const { return "{}"; }
    std::string operator()(const std::map<std::string, std::int64_t>*) const { return "{}"; }
  };
  return std::visit(Writer{}, place);
}

// Keys of sections that there may be many of, with what they mean.
template <class Owner>
std::string listed(std::string_view prefix, std::span<const KeyOf<Owner>> known) {
  std::string text;
  for (const KeyOf<Owner>& key : known)
    text +=
        "#   " + std::string(prefix) + std::string(key.name) + ": " + std::string(key.help) + "\n";
  return text;
}

std::string routing_text() {
  return "\n# Rules, in order: the first whose `when` holds applies. Lists may be given for "
         "texts,\n"
         "# with * and ?. docs/routing.md has examples.\n#\n#   [[rules]]\n" +
         listed("when.", when_keys()) + listed("", rule_keys()) +
         "#\n# Classes of tasks, your own and the built-in ones:\n#\n#   [classes.NAME]\n" +
         listed("", class_keys()) +
         "#\n# What holds for one key or one profile: [keys.NAME], [personas.NAME]\n#\n" +
         listed("", caller_keys());
}

}  // namespace

Result<Config> load_config(const Paths& paths, const Environment& env) {
  auto read = from_file(paths);
  if (!read) return read;
  Config config = *std::move(read);
  if (auto checked = check(config); !checked)
    return tl::unexpected(
        std::move(checked).error().within("configuration " + paths.config_file +
                                          line_of(paths.config_file, checked.error().message)));
  resolve_paths(config, paths, env);
  TOPHAND_CHECK("configuration " + paths.config_file + ": models.mirror",
                check_mirror(config.models.mirror));
  TOPHAND_CHECK("environment",
                override_from(env, "TOPHAND_CLAUDE_URL", check_claude_url, config.claude.base_url));
  TOPHAND_CHECK("environment",
                override_from(env, "TOPHAND_MODEL_MIRROR", check_mirror, config.models.mirror));
  if (auto found = find_claude_keys(config.claude, env); !found)
    return tl::unexpected(found.error());
  if (!config.claude.admin_key_file.empty()) {
    TOPHAND_TRY(key, "read the Admin key",
                read_key_file("claude.admin_key_file", config.claude.admin_key_file));
    config.claude.admin_key = std::move(key);
  }
  for (BackendConfig& backend : config.backends) {
    if (backend.key_file.empty()) continue;
    const std::string setting = "backends." + backend.name + ".key_file";
    TOPHAND_TRY(key, "read a backend's key", read_key_file(setting, backend.key_file));
    backend.api_key = std::move(key);
  }
  if (config.models.dir.empty()) config.models.dir = paths.data_dir + "/models";
  return config;
}

std::string line_of(const std::string& config_file, std::string_view message) {
  const OpenFile file(config_file);
  if (file.error() != 0) return "";
  const auto text = file.read(kConfigBytesMax);
  return text ? line_of_setting(*text, message.substr(0, message.find_first_of(": "))) : "";
}

std::string default_config_text() {
  Config defaults;
  std::string text =
      "# Tophand's configuration. Every key is shown with its default; remove the # to change "
      "one.\n";
  // Top-level keys must come before the first section.
  for (const Key& key : keys())
    if (key.table.empty())
      text += "\n# " + std::string(key.help) + "\n# " + std::string(key.name) + " = " +
              toml_value(key.place(defaults)) + "\n";
  std::string_view section;
  for (const Key& key : keys()) {
    if (key.table.empty()) continue;
    if (key.table != section) text += "\n[" + std::string(section = key.table) + "]\n";
    text += "# " + std::string(key.help) + "\n# " + std::string(key.name) + " = " +
            toml_value(key.place(defaults)) + "\n";
  }
  text += routing_text();
  text += "\n# Keys with limits of their own: one such section each.\n# [[claude.keys]]\n";
  ClaudeKeyConfig claude_key;
  claude_key.file = "keys/alice.key";
  for (const ClaudeKeyKey& key : claude_key_keys())
    text += "# " + std::string(key.help) + "\n# " + std::string(key.name) + " = " +
            toml_value(key.place(claude_key)) + "\n";
  text +=
      "\n# Other programs that serve models on your machines: one such section each.\n"
      "# [[backends]]\n";
  BackendConfig backend;
  backend.name = "ws2";
  backend.kind = "ollama";
  backend.url = "http://ws2:11434";
  for (const BackendKey& key : backend_keys())
    text += "# " + std::string(key.help) + "\n# " + std::string(key.name) + " = " +
            toml_value(key.place(backend)) + "\n";
  text +=
      "\n# Hard caps beside budget.week_usd: one such section each.\n"
      "# [[budget.caps]]\n";
  CapConfig cap;
  cap.scope = "agent";
  cap.name = "*";
  for (const CapKey& key : cap_keys())
    text += "# " + std::string(key.help) + "\n# " + std::string(key.name) + " = " +
            toml_value(key.place(cap)) + "\n";
  return text;
}

}  // namespace tophand::config
