#include "models/name.h"

#include <gtest/gtest.h>

namespace tophand::models {
namespace {

TEST(ModelName, LosesOllamasDefaults) {
  struct Case {
    const char* given;
    const char* kept;
  };
  const Case cases[] = {
      {"mario", "mario"},
      {"mario:latest", "mario"},
      {"mario:LATEST", "mario"},
      {"llama3.2:1b", "llama3.2:1b"},
      {"_x-1.y:v_2-3.4", "_x-1.y:v_2-3.4"},
      {"registry.ollama.ai/library/llama3:8b", "llama3:8b"},
      {"https://registry.ollama.ai/library/llama3", "llama3"},
      {"library/llama3", "llama3"},
      {"team/llama3", "team/llama3"},
      {"host.example:5000/team/llama3:8b", "host.example:5000/team/llama3:8b"},
      {"host.example/library/llama3", "host.example/library/llama3"},
  };
  for (const Case& c : cases) EXPECT_EQ(parse_name(c.given).value_or("invalid"), c.kept) << c.given;
}

TEST(ModelName, ThatOllamaRefusesOrThatCouldBeAPathIsRefused) {
  for (const char* name :
       {"",      ":",      "a:",    ":b",          "-a",   ".a",  "..",          "../a",
        "a/..",  "a/../b", "/a",    "a/",          "a//b", "a b", "a@sha256:00", "te.am/x",
        "a:b/c", "a\n",    "a:b:c", "h/n/m/x/y z", "é"})
    EXPECT_FALSE(parse_name(name)) << name;
  EXPECT_FALSE(parse_name(std::string(81, 'a')));
  EXPECT_TRUE(parse_name(std::string(80, 'a')));
  EXPECT_FALSE(parse_name(std::string(1 << 20, 'a')));
}

TEST(ModelName, MatchesWhateverItsCaseAndWithOrWithoutLatest) {
  EXPECT_TRUE(same_name("Mario", "mario:latest"));
  EXPECT_FALSE(same_name("mario:1b", "mario"));
  EXPECT_EQ(with_tag("mario"), "mario:latest");
  EXPECT_EQ(with_tag("mario:1b"), "mario:1b");
  EXPECT_EQ(with_tag("host:5000/team/mario"), "host:5000/team/mario:latest");
}

}  // namespace
}  // namespace tophand::models
