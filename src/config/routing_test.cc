// Rules, classes, keys and personas of the file, and what of a changed file needs a restart.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/config.h"
#include "config/reload.h"

namespace tophand::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(RoutingConfig, TakesRulesInOrderWithConditionsAndActions) {
  const auto config = parse_config(R"(
[[rules]]
name = "nights"
when.class = ["git_commit", "doc_update"]
when.hours = "22:00-06:00"
when.days = "weekdays"
when.tools = false
when.budget_used_min = 0.5
tier = "local"
defer = true
[[rules]]
when.key = "bot-*"
tier_at_most = "small"
egress = "local-only"
[classes.invoices]
weight = 3
priority = "high"
[keys.ci]
class = "git_commit"
models = "claude-haiku-*"
[personas.monday]
egress = "local-only"
[tiers]
small = "claude-haiku-4-5"
)",
                                   "t");
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_EQ(config->rules.size(), 2U);
  const RuleConfig& nights = config->rules[0];
  EXPECT_EQ(nights.name, "nights");
  EXPECT_EQ(nights.where, "t line 2");
  EXPECT_THAT(nights.when.task_class.any_of, ElementsAre("git_commit", "doc_update"));
  EXPECT_THAT(nights.when.days.any_of, ElementsAre("weekdays"));
  EXPECT_EQ(nights.when.tools, false);
  EXPECT_EQ(nights.when.budget_used_min, .5);
  EXPECT_EQ(nights.tier.exactly, "local");
  EXPECT_TRUE(nights.defer);
  EXPECT_EQ(config->rules[1].name, "rule 2");
  EXPECT_EQ(config->classes.at("invoices").weight, 3);
  EXPECT_THAT(config->keys.at("ci").models.any_of, ElementsAre("claude-haiku-*"));
  EXPECT_EQ(config->personas.at("monday").egress, "local-only");
  EXPECT_EQ(config->tiers.small, "claude-haiku-4-5");
}

TEST(RoutingConfig, EveryFaultNamesItsLineAndWhatWasExpected) {
  struct Row {
    std::string_view name, text, want;
  };
  const Row rows[] = {
      {"unknown action", "[[rules]]\ntear = \"local\"\n",
       "t line 2: unknown key `rules.tear`; did you mean `rules.tier`?"},
      {"unknown condition", "[[rules]]\nwhen.clas = \"qa\"\n", "did you mean `rules.when.class`?"},
      {"a condition without when", "[[rules]]\nhours = \"22:00-06:00\"\n", "unknown key"},
      {"unknown tier", "[[rules]]\ntier = \"big\"\n",
       "rules.tier: expected local or small or default or hard, found 'big'"},
      {"hours", "[[rules]]\nwhen.hours = \"22-6\"\n", "expected hours such as 22:00-06:00"},
      {"days", "[[rules]]\nwhen.days = [\"mon\", \"monday\"]\n", "found 'monday'"},
      {"egress", "[[rules]]\negress = \"local\"\n", "expected local-only or any"},
      {"twice", "[[rules]]\nname = \"a\"\n[[rules]]\nname = \"a\"\n",
       "t line 3: rules.name: there is a rule 'a' already"},
      {"exact and bounded", "[[rules]]\ntier = \"local\"\ntier_at_most = \"small\"\n",
       "leave out tier_at_most"},
      {"bounds", "[[rules]]\ntier_at_least = \"hard\"\ntier_at_most = \"small\"\n", "is above"},
      {"model and tier", "[[rules]]\nmodel = \"opus\"\ntier = \"local\"\n", "leave out the tier"},
      {"context", "[[rules]]\nwhen.context_tokens_min = 9\nwhen.context_tokens_max = 8\n",
       "is above context_tokens_max"},
      {"percent", "[[rules]]\nwhen.budget_used_min = 80\n", "are shares: 0.8 for 80 %"},
      {"one rule as a section", "[rules]\ntier = \"local\"\n", "sections [[rules]]"},
      {"a class's name", "[classes.\"A b\"]\nweight = 1\n", "a class's name has"},
      {"a class's key", "[classes.qa]\nwieght = 1\n", "did you mean `classes.weight`?"},
      {"a key's key", "[keys.ci]\nclas = \"qa\"\n", "did you mean `keys.class`?"},
      {"a list of numbers", "[[rules]]\nwhen.class = [1]\n", "expected a text or a list of texts"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const auto config = parse_config(row.text, "t");
    ASSERT_FALSE(config);
    EXPECT_THAT(config.error().message, HasSubstr(std::string(row.want)));
  }
}

TEST(RoutingConfig, HoursHaveTheirExactForm) {
  EXPECT_EQ(parse_hours("22:30-06:00")->from_minute, 22 * 60 + 30);
  EXPECT_EQ(parse_hours("22:30-06:00")->until_minute, 6 * 60);
  EXPECT_EQ(parse_hours("08:00-24:00")->until_minute, 0);
  for (const char* wrong : {"", "22:00", "22:00-6:00", "25:00-06:00", "22:60-06:00", "24:01-06:00",
                            "-2:00-06:00", "22:00 06:00"})
    EXPECT_FALSE(parse_hours(wrong)) << wrong;
}

TEST(InHouse, ABackendIsInTheHouseByItsAddressOrBecauseTheOperatorSaysSo) {
  const auto at = [](std::string url, std::string in_house = "auto") {
    BackendConfig backend;
    backend.url = std::move(url);
    backend.in_house = std::move(in_house);
    return is_in_house(backend);
  };
  for (const char* url :
       {"http://127.0.0.1:1", "http://localhost", "http://[::1]:1", "http://ws2:1",
        "http://10.0.0.9", "http://192.168.1.2", "http://172.16.0.1", "http://172.31.9.9",
        "http://[fd00::1]", "http://gpu.local", "https://gpu.internal:8"})
    EXPECT_TRUE(at(url)) << url;
  for (const char* url :
       {"https://api.example.org", "http://8.8.8.8", "http://172.32.0.1", "http://[2001:db8::1]",
        "http://local.example.org", "http://10.example.org"})
    EXPECT_FALSE(at(url)) << url;
  EXPECT_TRUE(at("https://gpu.example.org", "yes"));
  EXPECT_FALSE(at("http://10.0.0.9", "no"));
}

TEST(Reload, NamesWhatOnlyARestartBrings) {
  Config before, after;
  after.routing.default_priority = "high";
  after.tiers.hard = "claude-opus-4-8";
  after.models.aliases = {{"a", "b"}};
  after.rules.resize(1);
  EXPECT_THAT(needs_restart(before, after), IsEmpty());
  after.server.listen = "127.0.0.1:1";
  after.engine.threads = 2;
  after.backends.resize(1);
  after.claude.keys = {{"a", "secret"}};
  EXPECT_THAT(needs_restart(before, after),
              ElementsAre("server.listen", "engine.threads", "backends", "the Claude keys"));
}

}  // namespace
}  // namespace tophand::config
