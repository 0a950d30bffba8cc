#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <ostream>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/config_checks.h"
#include "config/config.h"
#include "config/schema.h"

namespace tophand::cli {
namespace {

config::Paths paths_from(const Arguments& args) {
  return config::find_paths(config::process_environment(), args.get("--config"),
                            args.get("--data"));
}

config::Paths paths_to_check(const Arguments& args) {
  config::Paths paths = paths_from(args);
  if (args.positional.empty()) return paths;
  paths.config_file = args.positional.front();
  paths.config_named = true;
  return paths;
}

int run_check(Io& io, const Arguments& args) {
  const config::Paths paths = paths_to_check(args);
  const auto loaded = load_usable_config(paths, config::process_environment());
  const auto warnings =
      loaded ? config_warnings(*loaded, paths.data_dir) : std::vector<std::string>();
  const bool exists = std::filesystem::exists(paths.config_file);
  if (args.has("--json")) {
    io.out << dump_json({{"file", paths.config_file},
                         {"exists", exists},
                         {"ok", loaded.has_value()},
                         {"warnings", warnings},
                         {"error", loaded ? "" : loaded.error().message}})
           << '\n';
  } else if (loaded) {
    io.out << (exists ? paths.config_file + ": ok\n"
                      : "ok: there is no " + paths.config_file + ", the defaults hold\n");
    for (const std::string& warning : warnings) io.out << "warning: " << warning << '\n';
  }
  if (loaded) return 0;
  return args.has("--json") ? info(loaded.error().code).exit_code : report(io, loaded.error());
}

Json value_of(const config::Place& place) {
  struct Reader {
    Json operator()(const std::string* text) const { return *text; }
    Json operator()(const std::int64_t* number) const { return *number; }
    Json operator()(const bool* flag) const { return *flag; }
    Json operator()(const std::optional<bool>* flag) const {
      return *flag ? Json(**flag) : Json(nullptr);
    }
    Json operator()(const config::Patterns* patterns) const { return patterns->any_of; }
    Json operator()(const double* number) const { return *number; }
    Json operator()(const std::optional<double>* number) const {
      return *number ? Json(**number) : Json(nullptr);
    }
    Json operator()(const std::vector<std::string>* list) const { return *list; }
    Json operator()(const std::map<std::string, std::string>* table) const { return *table; }
    Json operator()(const std::map<std::string, std::int64_t>* table) const { return *table; }
  };
  return std::visit(Reader{}, place);
}

template <class Owner>
Json entry_of(Owner& owner, std::span<const config::KeyOf<Owner>> keys) {
  Json entry = Json::object();
  for (const config::KeyOf<Owner>& key : keys)
    entry[std::string(key.name)] = value_of(key.place(owner));
  return entry;
}

// One object for each section that may be there more than once.
template <class Owner>
Json list_of(std::vector<Owner>& owners, std::span<const config::KeyOf<Owner>> keys) {
  Json list = Json::array();
  for (Owner& owner : owners) list.push_back(entry_of(owner, keys));
  return list;
}

// The same for sections with names of their own, [classes.NAME].
template <class Owner>
Json table_of(std::map<std::string, Owner>& owners, std::span<const config::KeyOf<Owner>> keys) {
  Json table = Json::object();
  for (auto& [name, owner] : owners) table[name] = entry_of(owner, keys);
  return table;
}

Json rules_of(std::vector<config::RuleConfig>& rules) {
  Json list = list_of(rules, config::rule_keys());
  for (std::size_t at = 0; at < rules.size(); ++at) {
    list[at]["where"] = rules[at].where;
    list[at]["when"] = entry_of(rules[at].when, config::when_keys());
  }
  return list;
}

int run_show(Io& io, const Arguments& args) {
  const config::Paths paths = paths_from(args);
  auto loaded = config::load_config(paths, config::process_environment());
  if (!loaded) return report(io, loaded.error());
  Json all{{"config_file", paths.config_file}, {"data_dir", paths.data_dir}};
  for (const config::Key& key : config::keys()) {
    Json& table = key.table.empty() ? all : all[std::string(key.table)];
    table[std::string(key.name)] = value_of(key.place(*loaded));
  }
  all["backends"] = list_of(loaded->backends, config::backend_keys());
  all["claude"]["keys"] = list_of(loaded->claude.limited_keys, config::claude_key_keys());
  all["rules"] = rules_of(loaded->rules);
  all["classes"] = table_of(loaded->classes, config::class_keys());
  all["keys"] = table_of(loaded->keys, config::caller_keys());
  all["personas"] = table_of(loaded->personas, config::caller_keys());
  all["budget"]["caps"] = list_of(loaded->budget.caps, config::cap_keys());
  all["claude"]["api_key"] = loaded->claude.keys.empty() ? "(not set)" : "(set)";
  io.out << all.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
  return 0;
}

// errno, or 0. Never changes a file that is there.
int write_new(const std::string& path, std::string_view text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return errno;
  int why = 0;
  while (!text.empty() && why == 0) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n >= 0) text.remove_prefix(static_cast<std::size_t>(n));
    else if (errno != EINTR) why = errno;
  }
  if (::close(fd) != 0 && why == 0) why = errno;
  // Half a file would be in the way of the next try, and be read by every other command.
  if (why != 0) ::unlink(path.c_str());
  return why;
}

int run_init(Io& io, const Arguments& args) {
  const std::string path = paths_from(args).config_file;
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  const int why = write_new(path, config::default_config_text());
  if (why == EEXIST)
    return report(io, Error{Code::kConflict, path + " exists already; it was left as it is"});
  if (why != 0)
    return report(io, Error{Code::kIo, "cannot write " + path + ": " + std::strerror(why)});
  io.out << "wrote " << path << '\n';
  return 0;
}

const Flag kCheckFlags[] = {
    {"--config", "FILE", "the file to check (default $XDG_CONFIG_HOME/tophand/tophand.toml)"},
    {"--json", "", "print one JSON object"},
};
const Flag kShowFlags[] = {
    {"--config", "FILE", "configuration (default $XDG_CONFIG_HOME/tophand/tophand.toml)"},
    {"--data", "DIR", "data folder (default $XDG_DATA_HOME/tophand)"},
};
const Flag kInitFlags[] = {
    {"--config", "FILE", "where to write it (default $XDG_CONFIG_HOME/tophand/tophand.toml)"},
};

}  // namespace

const Command kConfigCheck{
    .name = "config check",
    .arguments = "[FILE]",
    .summary = "Check the configuration and name the first fault with its line",
    .help =
        "Looks at what the settings name, too: files of roots and prices, the kernel, templates,\n"
        "aliases. Warns of rules that are never reached, because an earlier one takes all of "
        "their\n"
        "requests, of aliases that are not followed, of models without a price and of keys that\n"
        "there are not. A running gateway takes a changed file by itself.\n\n"
        "  tophand config check\n"
        "  tophand config check new.toml\n",
    .flags = kCheckFlags,
    .positional_min = 0,
    .positional_max = 1,
    .run = run_check,
};

const Command kConfigShow{
    .name = "config show",
    .arguments = "",
    .summary = "Print the configuration in effect, as JSON, without secrets",
    .help = "File, environment and defaults together.\n",
    .flags = kShowFlags,
    .positional_min = 0,
    .positional_max = 0,
    .run = run_show,
};

const Command kConfigInit{
    .name = "config init",
    .arguments = "",
    .summary = "Write a configuration with every key explained",
    .help = "An existing file is left alone.\n",
    .flags = kInitFlags,
    .positional_min = 0,
    .positional_max = 0,
    .run = run_init,
};

}  // namespace tophand::cli
