#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "cli/help.h"

namespace tophand::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const Flag kFlags[] = {{"--json", "", "print JSON"}, {"--model", "NAME", "which model"}};

int echo(Io& io, const Arguments& args) {
  for (const std::string& word : args.positional) io.out << word << ' ';
  io.out << (args.has("--json") ? "json " : "") << args.get("--model", "none");
  return 0;
}

const Command kEcho{.name = "echo",
                    .arguments = "WORD...",
                    .summary = "Print words",
                    .help = "",
                    .flags = kFlags,
                    .positional_min = 1,
                    .positional_max = 3,
                    .run = echo};
const Command kCheck{.name = "config check",
                     .arguments = "",
                     .summary = "Check",
                     .help = "",
                     .flags = {},
                     .positional_min = 0,
                     .positional_max = 0,
                     .run = echo};
const Command kSecret{.name = "secret",
                      .arguments = "",
                      .summary = "Hidden",
                      .help = "",
                      .flags = {},
                      .positional_min = 0,
                      .positional_max = 0,
                      .run = echo,
                      .hidden = true};
constexpr std::array<const Command*, 3> kTable{&kEcho, &kCheck, &kSecret};

struct Outcome {
  int code;
  std::string out, err;
};
Outcome call(std::vector<std::string> words) {
  std::ostringstream out, err;
  Io io{.out = out, .err = err};
  const int code = dispatch(kTable, io, words);
  return {code, out.str(), err.str()};
}

TEST(Report, ShowsAStepOnceWhoeverNamedIt) {
  for (const auto& [message, shown] : std::initializer_list<std::pair<const char*, const char*>>{
           {"bench: bench: load: no", "bench: load: no"},
           {"--context: --context must be 2", "--context must be 2"},
           {"read: x: read: y", "read: x: read: y"},
           {"load: loaded twice", "load: loaded twice"},
           {"a: a: a: b", "a: b"},
           {"plain", "plain"}}) {
    std::ostringstream out, err;
    Io io{.out = out, .err = err};
    report(io, {Code::kInvalid, message});
    EXPECT_EQ(err.str(), "tophand: " + std::string(shown) + "\n");
  }
}

struct Row {
  std::string_view name;
  std::vector<std::string> words;
  int code;
  std::string_view out, err;
};

TEST(Dispatch, HandlesEveryRowOfTheTable) {
  const Row rows[] = {
      {"flags before and after", {"echo", "--json", "a", "--model", "m"}, 0, "a json m", ""},
      {"flag with equals", {"echo", "a", "--model=m=1"}, 0, "a m=1", ""},
      {"words after two dashes", {"echo", "--", "--json", "-x"}, 0, "--json -x none", ""},
      {"a single dash is a word", {"echo", "-"}, 0, "- none", ""},
      {"nested command", {"config", "check"}, 0, "none", ""},
      {"help of a command", {"echo", "--help"}, 0, "usage: tophand echo WORD... [OPTIONS]", ""},
      {"short help", {"config", "check", "-h"}, 0, "usage: tophand config check", ""},
      {"help command", {"help", "echo"}, 0, "--model NAME", ""},
      {"unknown command", {"ecko"}, 2, "", "did you mean `echo`"},
      {"unknown option", {"echo", "a", "--jsno"}, 2, "", "did you mean `--json`"},
      {"value for a switch", {"echo", "a", "--json=1"}, 2, "", "--json takes no value"},
      {"missing value", {"echo", "a", "--model"}, 2, "", "--model needs a value: --model NAME"},
      {"too few words", {"echo"}, 2, "", "expected WORD..."},
      {"too many words", {"echo", "a", "b", "c", "d"}, 2, "", "unexpected 'd'"},
      {"a group alone", {"config"}, 2, "", "`tophand config check`"},
      {"help of a group", {"config", "--help"}, 0, "config check  Check", ""},
      {"help about a group", {"help", "config"}, 0, "usage: tophand config COMMAND", ""},
      {"help of no group", {"confi", "--help"}, 2, "", "unknown command 'confi'"},
      {"nothing at all", {}, 2, "", "usage: tophand COMMAND"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const Outcome got = call(row.words);
    EXPECT_EQ(got.code, row.code);
    EXPECT_THAT(got.out, HasSubstr(std::string(row.out)));
    EXPECT_THAT(got.err, HasSubstr(std::string(row.err)));
  }
}

TEST(Dispatch, TheOverviewLeavesHiddenCommandsOut) {
  const Outcome got = call({"help"});
  EXPECT_THAT(got.out, HasSubstr("config check"));
  EXPECT_THAT(got.out, Not(HasSubstr("secret")));
}

TEST(Arguments, IntegersAreWholeAndInRange) {
  Arguments args;
  args.flags["--n"] = "12";
  EXPECT_EQ(*args.get_int("--n", 1, 0, 100), 12);
  EXPECT_EQ(*args.get_int("--other", 7, 0, 100), 7);
  for (const char* bad : {"", "x", "12x", "1.5", "-1", "101", "99999999999999999999"}) {
    args.flags["--n"] = bad;
    EXPECT_FALSE(args.get_int("--n", 1, 0, 100)) << bad;
  }
}

// Every real command's help must stand on its own: the table is what users see.
TEST(CommandTable, EveryCommandExplainsItself) {
  for (const Command* command : command_table()) {
    SCOPED_TRACE(command->name);
    EXPECT_FALSE(command->summary.empty());
    EXPECT_FALSE(command->summary.ends_with('.'));
    EXPECT_NE(command->run, nullptr);
    for (const Flag& flag : command->flags) {
      EXPECT_TRUE(flag.name.starts_with("--")) << flag.name;
      EXPECT_FALSE(flag.help.empty()) << flag.name;
    }
  }
}

TEST(Completion, NamesEveryCommandForEachShell) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    std::ostringstream out;
    ASSERT_TRUE(print_completion(shell, kTable, out));
    EXPECT_THAT(out.str(), HasSubstr("echo"));
    EXPECT_THAT(out.str(), HasSubstr("json"));
    EXPECT_THAT(out.str(), Not(HasSubstr("secret")));
  }
  std::ostringstream out;
  EXPECT_FALSE(print_completion("tcsh", kTable, out));
}

}  // namespace
}  // namespace tophand::cli
