#include "base/subprocess.h"

#include <gtest/gtest.h>

namespace tophand {
namespace {

TEST(Subprocess, GathersBothOutputsAndTheExitCode) {
  const auto result = run_process({.argv = {"sh", "-c", "echo out; echo err >&2; exit 3"}});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->out, "out\n");
  EXPECT_EQ(result->err, "err\n");
  EXPECT_EQ(result->exit_code, 3);
}

TEST(Subprocess, FeedsMoreInputThanAPipeHolds) {
  const std::string input(1 << 20, 'x');
  const auto result = run_process({.argv = {"cat"}, .input = input});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->out, input);
}

TEST(Subprocess, SurvivesAChildThatIgnoresItsInput) {
  const auto result = run_process({.argv = {"true"}, .input = std::string(1 << 20, 'x')});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->exit_code, 0);
}

TEST(Subprocess, AMissingProgramIsNotFound) {
  const auto result = run_process({.argv = {"tophand-no-such-program"}});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kNotFound);
}

TEST(Subprocess, KillsAChildThatPrintsWithoutEnd) {
  const auto result = run_process({.argv = {"yes"}, .output_bytes_max = 1 << 20});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kTooLarge);
}

TEST(Subprocess, KillsAChildThatOutlivesItsTime) {
  const auto result = run_process({.argv = {"sleep", "600"}, .timeout_ms = 50});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kDeadline);
}

TEST(Subprocess, RunsInTheGivenDirectory) {
  const auto result = run_process({.argv = {"pwd"}, .directory = "/usr"});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->out, "/usr\n");
}

}  // namespace
}  // namespace tophand
