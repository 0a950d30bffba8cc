#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "config/config.h"
#include "config/schema.h"

namespace tophand::config {
namespace {

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::stringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

void override_from(const Environment& env, const std::string& name, std::string& value) {
  const auto it = env.find(name);
  if (it != env.end() && !it->second.empty()) value = it->second;
}

// The key lies in a file that nobody else may read: what others can read is no secret.
Result<std::string> read_key_file(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0)
    return fail(Code::kConfig, "claude.key_file " + path + ": " + std::strerror(errno));
  if ((status.st_mode & 077) != 0)
    return fail(Code::kConfig,
                "claude.key_file " + path + " can be read by others; run `chmod 600 " + path + "`");
  auto text = read_file(path);
  if (!text) return fail(Code::kConfig, "claude.key_file " + path + " cannot be read");
  text->erase(text->find_last_not_of(" \t\r\n") + 1);
  if (text->empty() || text->size() > 4096 || text->find_first_of("\r\n") != std::string::npos)
    return fail(Code::kConfig, "claude.key_file " + path + " should hold one line, the key");
  return *std::move(text);
}

Result<> check(const Config& config) {
  const std::string& url = config.claude.base_url;
  if (!url.starts_with("https://") && !url.starts_with("http://"))
    return fail(Code::kConfig, "claude.base_url: expected https://..., found '" + url + "'");
  if (config.server.listen.rfind(':') == std::string::npos)
    return fail(Code::kConfig,
                "server.listen: expected ADDRESS:PORT, found '" + config.server.listen + "'");
  return {};
}

std::string toml_value(const Place& place) {
  struct Writer {
    std::string operator()(const std::string* text) const { return "\"" + *text + "\""; }
    std::string operator()(const std::int64_t* number) const { return std::to_string(*number); }
    std::string operator()(const bool* flag) const { return *flag ? "true" : "false"; }
    std::string operator()(const std::optional<double>*) const { return "100.0"; }
    std::string operator()(const std::vector<std::string>*) const { return "[]"; }
    std::string operator()(const std::map<std::string, std::string>*) const { return "{}"; }
  };
  return std::visit(Writer{}, place);
}

}  // namespace

Result<Config> load_config(const Paths& paths, const Environment& env) {
  Config config;
  if (const auto text = read_file(paths.config_file)) {
    TOPHAND_TRY(parsed, "read", parse_config(*text, paths.config_file));
    config = std::move(parsed);
  } else if (paths.config_named) {
    return fail(Code::kConfig, "configuration " + paths.config_file +
                                   " cannot be read; `tophand config init` writes one");
  }
  override_from(env, "TOPHAND_CLAUDE_URL", config.claude.base_url);
  override_from(env, "TOPHAND_MODEL_MIRROR", config.models.mirror);
  if (!config.claude.key_file.empty()) {
    TOPHAND_TRY(key, "read the Claude key", read_key_file(config.claude.key_file));
    config.claude.api_key = std::move(key);
  }
  override_from(env, "ANTHROPIC_API_KEY", config.claude.api_key);
  if (config.models.dir.empty()) config.models.dir = paths.data_dir + "/models";
  TOPHAND_CHECK("configuration", check(config));
  return config;
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
  return text;
}

}  // namespace tophand::config
