#include "config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "config/schema.h"

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

TEST(Config, AFaultOfASettingNamesItsLine) {
  constexpr std::string_view kText = "prices_file = 'x'\n[budget]\n\nweek_starts = 'mon'\n";
  EXPECT_EQ(line_of_setting(kText, "budget.week_starts"), " line 4");
  EXPECT_EQ(line_of_setting(kText, "prices_file"), " line 1");
  for (const char* other : {"budget.time_zone", "nosuch.key", "prices_file.x", "", "."})
    EXPECT_EQ(line_of_setting(kText, other), "") << other;
  EXPECT_EQ(line_of_setting("[[[", "budget"), "");
}

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
      {"a backend without a kind", "[[backends]]\nname = \"a\"\nurl = \"http://a\"\n",
       "backends.a.kind is missing; one of ollama"},
      {"a backend's unknown key", "[[backends]]\nnam = \"a\"\n", "did you mean `backends.name`?"},
      {"a name that is taken", "[[backends]]\nname = \"claude\"\n", "has a meaning already"},
      {"a backend's key in clear text",
       "[[backends]]\nname = \"a\"\nkind = \"vllm\"\nurl = \"http://ws2\"\nkey_file = \"k\"\n",
       "expected https: over http to 'ws2'"},
      {"a cap without a scope", "[[budget.caps]]\nusd = 1\n", "budget.caps.scope is missing"},
      {"a cap's unknown scope", "[[budget.caps]]\nscope = \"agents\"\n", "expected team or key"},
      {"a cap's unknown window", "[[budget.caps]]\nwindow = \"month\"\n", "week or day or ever"},
      {"a cap's unknown key", "[[budget.caps]]\nusdd = 1\n", "did you mean `budget.caps.usd`?"},
      {"a cap for nobody", "[[budget.caps]]\nscope = \"key\"\nusd = 1\n", "name is missing"},
      {"a named team", "[[budget.caps]]\nscope = \"team\"\nname = \"a\"\nusd = 1\n", "no name"},
      {"a cap without money", "[[budget.caps]]\nscope = \"team\"\n", "usd is missing"},
      {"two caps of one kind",
       "[[budget.caps]]\nscope = \"team\"\nusd = 1\n[[budget.caps]]\nscope = \"team\"\nusd = 2\n",
       "line 4: budget.caps of team: there is a cap"},
      {"caps as a value", "[budget]\ncaps = 3\n", "sections [[budget.caps]]"},
      {"a key's limit without a file", "[[claude.keys]]\nconcurrency = 1\n",
       "line 1: claude.keys.file is missing"},
      {"a key's unknown limit", "[[claude.keys]]\nconcurency = 1\n",
       "did you mean `claude.keys.concurrency`?"},
      {"one Claude key as a section", "[claude.keys]\nfile = \"a\"\n", "sections [[claude.keys]]"},
      {"a weight that is none", "[fair]\nweights = { a = 0 }\n",
       "fair.weights: expected 1 to 1000, found 0 for a"},
      {"one backend as a section", "[backends]\nname = \"a\"\n", "sections [[backends]]"},
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

// Found by fuzzing: these reached what the parser takes for impossible.
TEST(Config, WhatIsNoTomlIsAFaultWithItsLine) {
  for (const std::string& text :
       {std::string("\n[[:\0ru\n", 8), std::string("\n[:]\n"),
        std::string("\n\xef\xbb\x9f[server]\n"), std::string("\n\xc3\xa9 = 1\n")}) {
    const auto config = parse_config(text, "t");
    ASSERT_FALSE(config);
    EXPECT_THAT(config.error().message, HasSubstr("line 2"));
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
        line.find(" = { ") == std::string::npos)  // an example in a description
      line.erase(0, 2);
    if (line.starts_with("# [[")) line.erase(0, 2);
    uncommented += line + "\n";
    at = end + 1;
  }
  const auto config = parse_config(uncommented, "t");
  ASSERT_TRUE(config) << config.error().message << "\n" << uncommented;
  EXPECT_EQ(config->server.listen, defaults.server.listen);
  EXPECT_EQ(config->claude.model, defaults.claude.model);
  EXPECT_EQ(config->engine.context_tokens, defaults.engine.context_tokens);
}

TEST(Config, BackendsAreReadInOrderWithTheirKeys) {
  const Folder folder;
  folder.write("vllm.key", "secret-1\n");
  const Paths paths{
      .config_file = folder.write(
          "t.toml",
          "[[backends]]\nname = \"ws2\"\nkind = \"ollama\"\nurl = \"http://ws2:11434\"\n"
          "[[backends]]\nname = \"gpu\"\nkind = \"vllm\"\nurl = \"https://gpu\"\n"
          "key_file = \"vllm.key\"\nmodels = [\"a\"]\nconcurrency = 9\n"),
      .data_dir = folder.path,
      .config_named = true};
  const auto config = load_config(paths, {});
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_EQ(config->backends.size(), 2u);
  EXPECT_EQ(config->backends[0].name, "ws2");
  EXPECT_EQ(config->backends[0].concurrency, 4);
  EXPECT_EQ(config->backends[1].api_key, "secret-1");
  EXPECT_EQ(config->backends[1].concurrency, 9);
  EXPECT_THAT(config->backends[1].models, ElementsAre("a"));
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
  EXPECT_EQ(config->claude.keys.at(0).secret, "sk-1");
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
  EXPECT_EQ(load_config(paths, {})->claude.keys.at(0).secret, "sk-secret");
}

TEST(Config, AKeyFileHoldsOneKey) {
  const Folder folder;
  const Paths paths{.config_file = folder.write("t.toml", "[claude]\nkey_file = \"key\"\n"),
                    .data_dir = folder.path,
                    .config_named = true};
  EXPECT_FALSE(load_config(paths, {}));  // not there
  for (const std::string& text :
       {std::string(), std::string("two words"), std::string("a\nb"), std::string(9000, 'x')}) {
    folder.write("key", text);
    const auto refused = load_config(paths, {});
    ASSERT_FALSE(refused) << text.size();
    EXPECT_THAT(refused.error().message, HasSubstr("one key"));
  }
  folder.write("key", "sk-2\r\n");
  EXPECT_EQ(load_config(paths, {})->claude.keys.at(0).secret, "sk-2");
  EXPECT_EQ(load_config(paths, {{"ANTHROPIC_API_KEY", "sk-3"}})->claude.keys.at(0).secret, "sk-3");
}

TEST(Config, SeveralKeysHaveTheNamesOfTheirFiles) {
  const Folder folder;
  folder.write("alice.key", "sk-ant-api03-a\n");
  folder.write("bob", "sk-ant-oat01-b\n");
  const Paths paths{
      .config_file = folder.write("t.toml", "[claude]\nkey_files = [\"alice.key\", \"bob\"]\n"),
      .data_dir = folder.path,
      .config_named = true};
  const auto config = load_config(paths, {{"ANTHROPIC_AUTH_TOKEN", "of-a-proxy"}});
  ASSERT_TRUE(config) << config.error().message;
  std::string keys;
  for (const ClaudeKey& key : config->claude.keys)
    keys += key.name + (key.bearer ? "* " : " ") + key.secret + "; ";
  EXPECT_EQ(keys, "token* of-a-proxy; alice sk-ant-api03-a; bob* sk-ant-oat01-b; ");
}

TEST(Config, KeysMayHaveLimitsOfTheirOwn) {
  const Folder folder;
  folder.write("alice.key", "sk-ant-api03-a\n");
  folder.write("bob.key", "sk-ant-api03-b\n");
  const Paths paths{.config_file = folder.write(
                        "t.toml",
                        "[claude]\nkey_file = \"alice.key\"\n[[claude.keys]]\nfile = \"bob.key\"\n"
                        "concurrency = 2\nrequests_per_minute = 50\n"
                        "[tiers]\nhard_concurrency = 3\n[fair.weights]\nrelease = 3\n"),
                    .data_dir = folder.path,
                    .config_named = true};
  const auto config = load_config(paths, {});
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_EQ(config->claude.keys.size(), 2u);
  EXPECT_EQ(config->claude.keys[0].concurrency, 0);
  EXPECT_EQ(config->claude.keys[1].name, "bob");
  EXPECT_EQ(config->claude.keys[1].concurrency, 2);
  EXPECT_EQ(config->claude.keys[1].requests_per_minute, 50);
  EXPECT_EQ(config->tiers.hard_concurrency, 3);
  EXPECT_EQ(config->fair.weights.at("release"), 3);
}

// Clients of the gateway are pointed at it by this variable.
TEST(Config, OurOwnKeyIsNotTakenForClaudes) {
  const Folder folder;
  const Paths paths{.config_file = folder.path + "/none.toml", .data_dir = folder.path};
  EXPECT_TRUE(load_config(paths, {{"ANTHROPIC_AUTH_TOKEN", "th-0123"}})->claude.keys.empty());
}

TEST(Config, AFifoOrFolderInPlaceOfAFileIsRefusedWithoutWaiting) {
  const Folder folder;
  const Paths paths{.config_file = folder.path + "/pipe", .data_dir = folder.path};
  ASSERT_EQ(::mkfifo(paths.config_file.c_str(), 0600), 0);
  EXPECT_THAT(load_config(paths, {}).error().message, HasSubstr("is not a file"));
  const Paths as_folder{.config_file = folder.path, .data_dir = folder.path};
  EXPECT_THAT(load_config(as_folder, {}).error().message, HasSubstr("is not a file"));
}

TEST(Config, AnUnnamedFileThatCannotBeReachedIsNotTakenForAbsent) {
  const Folder folder;
  folder.write("file", "");
  const Paths paths{.config_file = folder.path + "/file/t.toml", .data_dir = folder.path};
  EXPECT_FALSE(load_config(paths, {}));
}

TEST(Config, PathsAreUnderHomeOrBesideTheFile) {
  const Folder folder;
  const Paths paths{.config_file = folder.write("t.toml",
                                                "prices_file = \"/p\"\n[models]\ndir = \"~/m\"\n"
                                                "mirror = \"https://m/x\"\n"
                                                "[claude]\nca_file = \"ca.pem\"\n"),
                    .data_dir = folder.path};
  const auto config = load_config(paths, {{"HOME", "/home/u"}});
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->prices_file, "/p");
  EXPECT_EQ(config->models.dir, "/home/u/m");
  EXPECT_EQ(config->models.mirror, "https://m/x");
  EXPECT_EQ(config->claude.ca_file, folder.path + "/ca.pem");
}

TEST(Config, AddressesAreCheckedInTheFileAndInTheEnvironment) {
  struct Url {
    std::string value;
    bool good;
  };
  const Url urls[] = {
      {"https://api.example.org", true},
      {"http://127.0.0.1:9/base", true},
      {"http://localhost", true},
      {"http://[::1]:9", true},
      {"http://api.example.org", false},
      {"http://localhost.example.org", false},
      {"http://127.example.org", false},
      {"http://localhost@example.org", false},
      {"https://", false},
      {"api.example.org", false},
      {"https://api.example.org?x=1", false},
      {"https://a b", false},
      {"ftp://api.example.org", false},
  };
  const Folder folder;
  const Paths none{.config_file = folder.path + "/none", .data_dir = folder.path};
  for (const Url& url : urls) {
    EXPECT_EQ(load_config(none, {{"TOPHAND_CLAUDE_URL", url.value}}).has_value(), url.good)
        << url.value;
    const Paths file{
        .config_file = folder.write("t.toml", "[claude]\nbase_url = \"" + url.value + "\"\n"),
        .data_dir = folder.path};
    EXPECT_EQ(load_config(file, {}).has_value(), url.good) << url.value;
  }
  EXPECT_FALSE(load_config(none, {{"TOPHAND_MODEL_MIRROR", "ftp://x"}}));
  const Paths mirror{.config_file = folder.write("m.toml", "[models]\nmirror = \"ftp://x\"\n"),
                     .data_dir = folder.path};
  EXPECT_FALSE(load_config(mirror, {}));
  EXPECT_FALSE(load_config(none, {{"ANTHROPIC_API_KEY", "two\nlines"}}));
}

TEST(Config, ListenNeedsAnAddressAndAPort) {
  const Folder folder;
  for (const auto& [value, good] : {std::pair{"127.0.0.1:0", true},
                                    {"[::1]:80", true},
                                    {"localhost:65535", true},
                                    {"127.0.0.1", false},
                                    {"127.0.0.1:65536", false},
                                    {"::1:80", false},
                                    {":80", false},
                                    {"127.0.0.1:", false},
                                    {"127.0.0.1:8x", false},
                                    {"[]:80", false}}) {
    const Paths paths{.config_file = folder.write(
                          "t.toml", "[server]\nlisten = \"" + std::string(value) + "\"\n"),
                      .data_dir = folder.path};
    EXPECT_EQ(load_config(paths, {}).has_value(), good) << value;
  }
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

TEST(Config, SaysWhenTheWeekBegins) {
  EXPECT_EQ(calendar_of({})->fingerprint(), "UTC mon 00:00");
  BudgetConfig budget;
  for (const auto& [text, fingerprint] :
       {std::pair{"fri 18:30", "UTC fri 18:30"}, {"sun", "UTC sun 00:00"}}) {
    budget.week_starts = text;
    EXPECT_EQ(calendar_of(budget)->fingerprint(), fingerprint);
  }
  for (const char* text : {"", "weekend", "monday", "mon 25:00", "mon 24:00", "mon  00:00",
                           "mon 00:00 ", "00:00", "mon 00:00-06:00"}) {
    budget.week_starts = text;
    const auto wrong = calendar_of(budget);
    ASSERT_FALSE(wrong) << text;
    EXPECT_EQ(wrong.error().code, Code::kConfig);
    EXPECT_NE(wrong.error().message.find("such as \"mon 00:00\""), std::string::npos);
  }
  budget = {};
  budget.time_zone = "Europe/Berln";
  const auto nowhere = calendar_of(budget);
  ASSERT_FALSE(nowhere);
  EXPECT_NE(nowhere.error().message.find("budget.time_zone: time zone 'Europe/Berln' is not known"),
            std::string::npos)
      << nowhere.error().message;
}

}  // namespace
}  // namespace tophand::config
