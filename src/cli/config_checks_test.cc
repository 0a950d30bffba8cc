#include "cli/config_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/temporary_folder_for_tests.h"
#include "server/keys.h"

namespace tophand::cli {
namespace {

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
