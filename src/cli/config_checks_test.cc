#include "cli/config_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/temporary_folder_for_tests.h"
#include "server/keys.h"

namespace tophand::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::string fault_of(const config::Config& config) {
  const auto checked = check_usable(config);
  if (checked) return "";
  EXPECT_EQ(checked.error().code, Code::kConfig);
  return checked.error().message;
}

TEST(ConfigChecks, TheDefaultsAreUsable) {
  EXPECT_EQ(fault_of({}), "");
  EXPECT_THAT(alias_warnings({}), IsEmpty());
}

TEST(ConfigChecks, FindAPriceFileThatIsNotThereOrIsNone) {
  const TemporaryFolder folder;
  config::Config config;
  config.prices_file = folder.path() + "/nosuch.json";
  EXPECT_THAT(fault_of(config), StartsWith("prices_file: "));
  std::ofstream(config.prices_file) << "{}";
  EXPECT_THAT(fault_of(config), StartsWith("prices_file: "));
}

TEST(ConfigChecks, FindAnAddressThatIsOpenToOthersWithoutLeave) {
  config::Config config;
  config.server.listen = "0.0.0.0:7433";
  EXPECT_THAT(fault_of(config), AllOf(StartsWith("server.listen: "), HasSubstr("allow_remote")));
  config.server.allow_remote = true;
  EXPECT_EQ(fault_of(config), "");
  config.server.listen = "somewhere";
  EXPECT_THAT(fault_of(config), StartsWith("server.listen: "));
}

TEST(ConfigChecks, FindTemplatesAndPreTokenizersThatThereAreNot) {
  config::Config config;
  config.models.templates = {{"m", "chatml"}};
  config.models.pre_tokenizers = {{"m", "qwen2"}};
  EXPECT_EQ(fault_of(config), "");
  config.models.templates["n"] = "alpaca";
  EXPECT_THAT(fault_of(config), AllOf(HasSubstr("models.templates of n"), HasSubstr("alpaca")));
  config.models.templates.clear();
  config.models.pre_tokenizers["n"] = "tekkn";
  EXPECT_THAT(fault_of(config), AllOf(HasSubstr("models.pre_tokenizers of n"), HasSubstr("tekkn")));
}

TEST(ConfigChecks, FindRootsThatCannotBeRead) {
  const TemporaryFolder folder;
  config::Config config;
  config.claude.ca_file = folder.path() + "/nosuch.pem";
  EXPECT_THAT(fault_of(config), AllOf(StartsWith("claude.ca_file: "), HasSubstr("nosuch.pem")));
  config.claude.ca_file.clear();
  config.backends.resize(1);
  config.backends[0].name = "box";
  config.backends[0].ca_file = folder.path() + "/none.pem";
  std::ofstream(config.backends[0].ca_file) << "no certificate";
  EXPECT_THAT(fault_of(config), StartsWith("backends.ca_file of box: "));
}

TEST(ConfigChecks, FindAKernelThatCannotRun) {
  config::Config config;
  config.engine.kernel = "scalar";
  EXPECT_EQ(fault_of(config), "");
  config.engine.kernel = "avx9";
  EXPECT_THAT(fault_of(config), HasSubstr("engine.kernel: 'avx9' cannot run here"));
  EXPECT_THAT(fault_of(config), HasSubstr("scalar"));
}

TEST(ConfigChecks, FindAliasesThatLeadInACircle) {
  config::Config config;
  config.models.aliases = {{"a", "b"}, {"b", "a"}};
  EXPECT_THAT(fault_of(config), HasSubstr("a -> b -> a"));
  config.models.aliases = {{"a", "a"}};
  EXPECT_THAT(fault_of(config), HasSubstr("a -> a"));
  config.models.aliases = {{"x", "a"}, {"a", "b"}, {"b", "qwen"}};
  EXPECT_EQ(fault_of(config), "");
}

TEST(ConfigChecks, WarnOfModelsWithoutAPrice) {
  EXPECT_THAT(price_warnings({}), IsEmpty());
  config::Config config;
  config.claude.model = "claude-opsu-5-5";
  config.rules.resize(1);
  config.rules[0].name = "r";
  config.rules[0].model = "claude-opsu-5-5";
  config.models.aliases = {{"fast", "claude-haiku-5-5"}, {"here", "qwen"}};
  EXPECT_THAT(price_warnings(config),
              ElementsAre(HasSubstr("claude.model: 'claude-opsu-5-5' has no price"),
                          HasSubstr("rule 'r': 'claude-opsu-5-5' has no price")));
}

TEST(ConfigChecks, WarnOfTiersWithoutAModelOrAPrice) {
  config::Config config;
  config.tiers.small = "";
  config.tiers.hard = "opus";
  EXPECT_THAT(price_warnings(config), ElementsAre(HasSubstr("tiers.small: names no model"),
                                                  HasSubstr("tiers.hard: 'opus' has no price")));
}

TEST(ConfigChecks, WarnOfKeysThatThereAreNot) {
  const TemporaryFolder folder;
  server::KeyStore store(folder.path());
  const std::string id = store.create("ci", 1)->info.id;
  config::Config config;
  config.keys = {{"ci", {}}, {id, {}}};
  const auto cap = [](std::string scope, std::string name) {
    config::CapConfig out;
    out.scope = std::move(scope);
    out.name = std::move(name);
    return out;
  };
  config.budget.caps = {cap("key", "*"), cap("agent", "x")};
  EXPECT_THAT(key_warnings(config, folder.path()), IsEmpty());
  config.keys["nobody"] = {};
  config.budget.caps.push_back(cap("key", "who"));
  EXPECT_THAT(key_warnings(config, folder.path()),
              ElementsAre(HasSubstr("keys.nobody: there is no key 'nobody'"),
                          HasSubstr("budget.caps of key: there is no key 'who'")));
}

TEST(ConfigChecks, WarnOfAliasesThatAreNotFollowed) {
  config::Config config;
  config.models.aliases = {{"a", "b"}, {"b", "qwen"}};
  config.models.local = "b";
  EXPECT_THAT(alias_warnings(config),
              ElementsAre(HasSubstr("'a' names 'b'"), HasSubstr("models.local: 'b' is an alias")));
}

}  // namespace
}  // namespace tophand::cli
