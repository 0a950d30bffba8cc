#include "config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace tophand::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Folder {
  Folder() {
    std::string pattern = testing::TempDir() + "config-XXXXXX";
    path = ::mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string write(const std::string& name, std::string_view text, mode_t mode = 0600) const {
    std::ofstream(path + "/" + name) << text;
    ::chmod((path + "/" + name).c_str(), mode);
    return path + "/" + name;
  }
  std::string path;
};

TEST(Config, TakesEveryKindOfValue) {
  const auto config = parse_config(
      "prices_file = \"p.json\"\n[server]\nlisten = \"127.0.0.1:0\"\nallowed_hosts = [\"a\", "
      "\"b\"]\n"
      "allow_remote = true\n[engine]\nthreads = 3\n[models.aliases]\nmonday = \"m\"\n"
      "[budget]\nweek_usd = 12.5\n",
      "t");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->prices_file, "p.json");
  EXPECT_EQ(config->server.listen, "127.0.0.1:0");
  EXPECT_THAT(config->server.allowed_hosts, ElementsAre("a", "b"));
  EXPECT_TRUE(config->server.allow_remote);
  EXPECT_EQ(config->engine.threads, 3);
  EXPECT_EQ(config->models.aliases.at("monday"), "m");
  EXPECT_EQ(config->budget.week_usd, 12.5);
}

struct Row {
  std::string_view name, text, want;
};

TEST(Config, EveryFaultNamesItsLineAndWhatWasExpected) {
  const Row rows[] = {
      {"unknown key", "[server]\nlisten_on = \"x\"\n", "t line 2: unknown key `server.listen_on`"},
      {"the nearest key", "[server]\nlistn = \"x\"\n", "did you mean `server.listen`?"},
      {"unknown section", "[sever]\nlisten = \"x\"\n", "unknown key `sever`"},
      {"wrong type", "[engine]\nthreads = \"two\"\n", "engine.threads: expected a whole number"},
      {"a float is not whole", "[engine]\nthreads = 2.0\n", "expected a whole number"},
      {"out of range", "[engine]\ncontext_tokens = 5\n", "expected 256 to 1048576, found 5"},
      {"one of a few", "[routing]\ndefault_priority = \"mid\"\n",
       "expected low or high, found 'mid'"},
      {"negative money", "[budget]\nweek_usd = -1\n", "0 or more"},
      {"money that is not a number", "[budget]\nweek_usd = nan\n", "0 or more"},
      {"section as a value", "server = 3\n", "expected a section [server]"},
      {"not TOML", "[server\n", "t line 1"},
      {"twice", "[engine]\nthreads = 1\nthreads = 2\n", "t line 3"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const auto config = parse_config(row.text, "t");
    ASSERT_FALSE(config);
    EXPECT_EQ(config.error().code, Code::kConfig);
    EXPECT_THAT(config.error().message, HasSubstr(std::string(row.want)));
  }
}

TEST(Config, TheDefaultTextParsesToTheDefaultsAlsoWithEveryKeySet) {
  const Config defaults;
  std::string text = default_config_text();
  ASSERT_TRUE(parse_config(text, "t"));
  std::string uncommented;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    std::string line = text.substr(at, end - at);
    if (line.starts_with("# ") && line.find(" = ") != std::string::npos &&
        line.find(": aliases") == std::string::npos)
      line.erase(0, 2);
    uncommented += line + "\n";
    at = end + 1;
  }
  const auto config = parse_config(uncommented, "t");
  ASSERT_TRUE(config) << config.error().message << "\n" << uncommented;
  EXPECT_EQ(config->server.listen, defaults.server.listen);
  EXPECT_EQ(config->claude.model, defaults.claude.model);
  EXPECT_EQ(config->engine.context_tokens, defaults.engine.context_tokens);
}

TEST(Config, AFileThatWasNamedMustExistAndADefaultOneNeedNot) {
  const Folder folder;
  Paths paths{
      .config_file = folder.path + "/none.toml", .data_dir = folder.path, .config_named = false};
  EXPECT_TRUE(load_config(paths, {}));
  paths.config_named = true;
  EXPECT_FALSE(load_config(paths, {}));
}

TEST(Config, TheEnvironmentComesAfterTheFile) {
  const Folder folder;
  const Paths paths{
      .config_file = folder.write("t.toml", "[claude]\nbase_url = \"https://file\"\n"),
      .data_dir = folder.path,
      .config_named = true};
  EXPECT_EQ(load_config(paths, {})->claude.base_url, "https://file");
  const Environment env{{"TOPHAND_CLAUDE_URL", "http://127.0.0.1:9"},
                        {"ANTHROPIC_BASE_URL", "http://elsewhere"},
                        {"ANTHROPIC_API_KEY", "sk-1"},
                        {"TOPHAND_MODEL_MIRROR", "/srv/models"}};
  const auto config = load_config(paths, env);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->claude.base_url, "http://127.0.0.1:9");
  EXPECT_EQ(config->claude.api_key, "sk-1");
  EXPECT_EQ(config->models.mirror, "/srv/models");
  EXPECT_EQ(config->models.dir, folder.path + "/models");
}

TEST(Config, AKeyFileThatOthersCanReadIsRefused) {
  const Folder folder;
  const std::string key = folder.write("key", "sk-secret\n", 0644);
  const Paths paths{.config_file = folder.write("t.toml", "[claude]\nkey_file = \"" + key + "\"\n"),
                    .data_dir = folder.path,
                    .config_named = true};
  const auto refused = load_config(paths, {});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("chmod 600"));
  ::chmod(key.c_str(), 0600);
  EXPECT_EQ(load_config(paths, {})->claude.api_key, "sk-secret");
}

TEST(Paths, FollowFlagsThenVariablesThenTheXdgFolders) {
  const Environment home{{"HOME", "/home/u"}};
  EXPECT_EQ(find_paths(home, "", "").data_dir, "/home/u/.local/share/tophand");
  EXPECT_EQ(find_paths(home, "", "").config_file, "/home/u/.config/tophand/tophand.toml");
  EXPECT_FALSE(find_paths(home, "", "").config_named);
  const Environment xdg{{"HOME", "/home/u"}, {"XDG_DATA_HOME", "/d"}, {"XDG_CONFIG_HOME", "rel"}};
  EXPECT_EQ(find_paths(xdg, "", "").data_dir, "/d/tophand");
  EXPECT_EQ(find_paths(xdg, "", "").config_file, "/home/u/.config/tophand/tophand.toml");
  const Environment named{{"HOME", "/h"}, {"TOPHAND_DATA", "/td"}, {"TOPHAND_CONFIG", "/tc"}};
  EXPECT_EQ(find_paths(named, "", "").data_dir, "/td");
  EXPECT_TRUE(find_paths(named, "", "").config_named);
  EXPECT_EQ(find_paths(named, "/fc", "/fd").data_dir, "/fd");
  EXPECT_EQ(find_paths(named, "/fc", "/fd").config_file, "/fc");
}

}  // namespace
}  // namespace tophand::config
