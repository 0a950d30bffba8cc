#include <unistd.h>

#include "config/config.h"

namespace tophand::config {
namespace {

std::string variable(const Environment& env, const std::string& name) {
  const auto it = env.find(name);
  return it == env.end() ? "" : it->second;
}

// XDG base directory specification: an unset or relative variable means the default under HOME.
std::string base_dir(const Environment& env, const std::string& xdg,
                     const std::string& under_home) {
  std::string named = variable(env, xdg);
  if (!named.empty() && named.front() == '/') return named;
  const std::string home = variable(env, "HOME");
  return (home.empty() ? "/root" : home) + under_home;
}

std::string first_set(std::string_view flag, const std::string& variable,
                      const std::string& fallback) {
  if (!flag.empty()) return std::string(flag);
  return variable.empty() ? fallback : variable;
}

}  // namespace

Environment process_environment() {
  Environment env;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos)
      env.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return env;
}

Paths find_paths(const Environment& env, std::string_view config_flag, std::string_view data_flag) {
  Paths paths;
  const std::string config_variable = variable(env, "TOPHAND_CONFIG");
  paths.config_named = !config_flag.empty() || !config_variable.empty();
  paths.config_file =
      first_set(config_flag, config_variable,
                base_dir(env, "XDG_CONFIG_HOME", "/.config") + "/tophand/tophand.toml");
  paths.data_dir = first_set(data_flag, variable(env, "TOPHAND_DATA"),
                             base_dir(env, "XDG_DATA_HOME", "/.local/share") + "/tophand");
  return paths;
}

}  // namespace tophand::config
