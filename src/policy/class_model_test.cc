#include "policy/class_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "policy/class_prompts_for_tests.h"
#include "policy/class_rules.h"

namespace tophand::policy {
namespace {

const std::vector<LabelledPrompt>& held_out() {
  static const auto prompts =
      read_prompts(std::string(TOPHAND_SOURCE_DIR) + "/tests/classes/heldout.txt");
  return prompts;
}

std::string model_text(char weight) {
  std::string text = "tophand-classes 1 16384 11 0.01 0.5 0 0 0 0 0 0 0 0 0 0 0\n";
  for (std::size_t i = 0; i < kFeatureBuckets; ++i) (text += std::string(11, weight)) += '\n';
  return text;
}

TaskClass likeliest(const ClassFacts& facts, const ClassModel& model, double& share) {
  ClassFeatures features;
  extract_features(facts, features);
  const ClassScores shares = softmax(model.score(features));
  const auto top = std::ranges::max_element(shares);
  share = *top;
  return static_cast<TaskClass>(top - shares.begin());
}

// Expected calibration error over ten bins of equal width (Guo et al. 2017, equation 3).
double calibration_error(const std::vector<std::pair<double, bool>>& said) {
  std::array<double, 10> sure{}, right{};
  for (const auto& [confidence, ok] : said) {
    const auto bin = std::min<std::size_t>(9, static_cast<std::size_t>(confidence * 10));
    sure[bin] += confidence;
    right[bin] += ok ? 1 : 0;
  }
  double sum = 0;
  for (std::size_t b = 0; b < sure.size(); ++b) sum += std::abs(sure[b] - right[b]);
  return sum / static_cast<double>(said.size());
}

// Of the requests that no mark decides, by the model alone, whatever its confidence.
TEST(ClassModel, IsRightFarOftenerThanTheCommonestClassOnHeldOutWording) {
  std::vector<std::pair<double, bool>> said;
  std::array<int, kTaskClasses> of_class{};
  int right = 0;
  for (const LabelledPrompt& prompt : held_out()) {
    const ClassFacts facts = prompt.facts();
    if (marked_class(facts)) continue;
    double share = 0;
    const bool ok = likeliest(facts, ClassModel::built_in(), share) == prompt.task_class;
    said.emplace_back(share, ok);
    right += ok ? 1 : 0;
    ++of_class[static_cast<std::size_t>(prompt.task_class)];
  }
  ASSERT_GT(said.size(), 200u);
  const double all = static_cast<double>(said.size());
  std::printf("model alone: %d of %zu right, calibration error %.3f\n", right, said.size(),
              calibration_error(said));
  EXPECT_GE(right / all, 0.65);
  EXPECT_LE(calibration_error(said), 0.15);
  // The control: always the commonest class.
  EXPECT_LT(*std::ranges::max_element(of_class) / all, 0.15);
}

TEST(ClassModel, GuessesOnlyWhatItIsSureOf) {
  int known = 0, guessed = 0, right = 0, strangers = 0, strangers_guessed = 0;
  for (const LabelledPrompt& prompt : held_out()) {
    const Guess guess = infer_class(prompt.facts(), ClassModel::built_in());
    const bool stranger = prompt.task_class == TaskClass::kOther;
    if (stranger) strangers_guessed += guess.task_class.empty() ? 0 : 1;
    else if (!guess.task_class.empty()) {
      ++guessed;
      right += guess.task_class == class_name(prompt.task_class) ? 1 : 0;
    }
    ++(stranger ? strangers : known);
  }
  std::printf("with marks and threshold: %d of %d guessed, %d right; %d of %d strangers guessed\n",
              guessed, known, right, strangers_guessed, strangers);
  EXPECT_GE(guessed, known * 2 / 5);
  EXPECT_GE(right, guessed * 93 / 100);
  EXPECT_LE(strangers_guessed, 2);
}

TEST(ClassModel, GuessesNothingWithoutTraining) {
  const auto untrained = ClassModel::parse(model_text('f'));  // 'f' is a weight of 0
  ASSERT_TRUE(untrained.has_value());
  for (const LabelledPrompt& prompt : held_out()) {
    if (marked_class(prompt.facts())) continue;
    const Guess guess = infer_class(prompt.facts(), *untrained);
    EXPECT_EQ(guess.task_class, "");
    EXPECT_NEAR(guess.confidence, 1.0 / kTaskClasses, 1e-9);
  }
}

TEST(ClassModel, SaysWhy) {
  const Guess marked =
      infer_class({.user = {"go on"}, .tool_result_last = true}, ClassModel::built_in());
  EXPECT_EQ(marked.task_class, "tool_loop");
  EXPECT_EQ(marked.why, "a tool's result came last");
  const Guess none = infer_class({.user = {"Hi"}}, ClassModel::built_in());
  EXPECT_EQ(none.task_class, "");
  EXPECT_NE(none.why, "");
}

TEST(ClassModel, LeansOnWhatIsKnownBeside) {
  const ClassFacts facts{.user = {"next"}};
  Beside beside;
  beside.prior[static_cast<std::size_t>(TaskClass::kReview)] = 12;
  EXPECT_EQ(infer_class(facts, ClassModel::built_in(), beside).task_class, "review");
  EXPECT_NE(infer_class(facts, ClassModel::built_in()).task_class, "review");
}

TEST(ClassModel, NamesTheLineOfADamagedFile) {
  EXPECT_TRUE(ClassModel::parse(model_text('A')).has_value());
  const std::string good = model_text('A');
  const auto error = [](const std::string& text) {
    const auto parsed = ClassModel::parse(text);
    return parsed ? std::string("none") : parsed.error().message;
  };
  EXPECT_NE(error("").find("line 1"), std::string::npos);
  EXPECT_NE(error("tophand-classes 2" + good.substr(17)).find("version"), std::string::npos);
  std::string other_size = good;
  other_size.replace(good.find("16384"), 5, "16385");
  EXPECT_NE(error(other_size).find("buckets"), std::string::npos);
  std::string no_number = good;
  no_number.replace(good.find("0.01"), 4, "1e99");
  EXPECT_NE(error(no_number).find("scale"), std::string::npos);
  EXPECT_NE(error(good.substr(0, good.size() - 5)).find("line 16385"), std::string::npos);
  EXPECT_NE(error(good + "x").find("more"), std::string::npos);
  std::string bad_digit = good;
  bad_digit[bad_digit.find('\n') + 1] = '!';
  EXPECT_NE(error(bad_digit).find("line 2: no weight"), std::string::npos);
}

TEST(ClassFeatures, AreBoundedAndDistinctForAnyBytes) {
  std::string bytes;
  for (int i = 0; i < 100'000; ++i)
    bytes += static_cast<char>(static_cast<unsigned>(i) * 2654435761u >> 24);
  ClassFeatures features;
  extract_features({.system = bytes, .user = {bytes, bytes}, .tools = {bytes, bytes}}, features);
  double square = 0;
  std::vector<std::uint16_t> seen;
  for (std::size_t g = 0; g < ClassFeatures::kGroups; ++g)
    for (const std::uint16_t bucket : features.group(g)) {
      square += features.value(g) * features.value(g);
      seen.push_back(bucket);
    }
  EXPECT_LE(square, 1 + 1e-9);
  std::ranges::sort(seen);
  EXPECT_EQ(std::ranges::adjacent_find(seen), seen.end());
}

TEST(ClassFeatures, DoNotReadTheMiddleOfALongText) {
  std::string one = "fix this\n" + std::string(20'000, 'a') + "\nand be quick";
  std::string other = one;
  other.replace(9'000, 500, 500, 'z');
  ClassFeatures a, b;
  extract_features({.user = {one}}, a);
  extract_features({.user = {other}}, b);
  EXPECT_EQ(a.ends, b.ends);
  EXPECT_TRUE(std::ranges::equal(a.group(0), b.group(0)));
}

struct Marked {
  const char* name;
  ClassFacts facts;
  TaskClass task_class;
};

TEST(ClassRules, KnowTheirMarks) {
  using enum TaskClass;
  const std::string diff = "diff --git a/x b/x\n@@ -1 +1 @@\n-a\n+b\n";
  const std::string message = "Write a commit message\n" + diff, review = "Review:\n" + diff;
  const Marked rows[] = {
      {"a tool's result", {.user = {"go"}, .tool_result_last = true}, kToolLoop},
      {"a diff to be named", {.user = {message}}, kGitCommit},
      {"a diff to be judged", {.user = {review}}, kReview},
      {"both sides of a conflict", {.user = {"<<<<<<< HEAD\na\n=======\nb\n>>>>>>> x"}}, kGitMerge},
      {"OpenClaw's heartbeat", {.user = {"Read HEARTBEAT.md and follow it"}}, kCoordination},
      {"OpenClaw's cron", {.user = {"[cron:1 daily] Post the digest"}}, kCoordination},
      {"Claude Code's title call",
       {.user = {"fix the parser"}, .answer_schema = R"({"properties":{"title":{}}})"},
       kCoordination},
      {"compaction, which must not be taken for a small task",
       {.user = {"Your task is a detailed summary of the conversation so far, to compact it"}},
       kOther},
  };
  for (const Marked& row : rows) {
    const auto mark = marked_class(row.facts);
    ASSERT_TRUE(mark.has_value()) << row.name;
    EXPECT_EQ(mark->task_class, row.task_class) << row.name;
  }
  EXPECT_FALSE(marked_class({.user = {diff}}).has_value());
  EXPECT_FALSE(marked_class({.user = {"review the commit message of\n" + diff}}).has_value());
  EXPECT_FALSE(marked_class({}).has_value());
}

TEST(TaskClass, IsKnownByTheNamesThatClientsUse) {
  EXPECT_EQ(class_named("git_commit"), TaskClass::kGitCommit);
  EXPECT_EQ(class_named("Git-Commit"), TaskClass::kGitCommit);
  EXPECT_EQ(class_named("heartbeat"), TaskClass::kCoordination);
  EXPECT_EQ(class_named("main"), std::nullopt);
  EXPECT_EQ(class_named(""), std::nullopt);
}

}  // namespace
}  // namespace tophand::policy
