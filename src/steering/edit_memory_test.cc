#include "steering/edit_memory.h"

#include <gtest/gtest.h>

namespace tophand::steering {
namespace {

constexpr std::uint64_t kHere = 7, kElsewhere = 8;
constexpr std::int64_t kHourMs = 3'600'000;

FileEdit edit(const std::string& before, const std::string& after,
              const std::string& path = "src/a.py") {
  return {path, before, after};
}
FileEdit whole(const std::string& content) {
  return {"src/a.py", "", content, true};
}

// Fates as "req_1 bad"; the history grows by two messages with each answer.
class EditMemoryTest : public testing::Test {
 protected:
  void local_answers(const std::string& request, std::uint64_t conversation = kHere) {
    memory_.answered(conversation, messages_, request, now_ms_);
  }
  std::string shows(const FileEdit& edit, std::uint64_t conversation = kHere) {
    const auto fates = memory_.edited(conversation, messages_, std::vector{edit}, now_ms_);
    messages_ += 2;
    return told(fates);
  }
  std::string person_speaks() { return told(memory_.spoke(kHere, ++messages_, now_ms_)); }
  static std::string told(const std::vector<EditMemory::Fate>& fates) {
    std::string out;
    for (const auto& fate : fates) out += fate.request_id + (fate.good ? " good;" : " bad;");
    return out;
  }

  EditMemory memory_{policy::SampleSeed{}};
  std::size_t messages_ = 1;
  std::int64_t now_ms_ = 1'800'000'000'000;
};

TEST_F(EditMemoryTest, NamesTheAnswerWhoseLinesAreReplaced) {
  local_answers("req_1");
  EXPECT_EQ(shows(edit("return 1", "total = sum(lines)\nreturn total")), "");
  EXPECT_EQ(shows(edit("total = sum(lines)", "total = round(sum(lines), 2)")), "req_1 bad;");
  EXPECT_EQ(shows(edit("total = round(sum(lines), 2)", "pass")), "");  // once, and not Claude's
}

TEST_F(EditMemoryTest, TakesAnEditElsewhereForNone) {
  local_answers("req_1");
  shows(edit("return 1", "total = sum(lines)"));
  EXPECT_EQ(shows(edit("other = 2", "other = 3")), "");                  // another place
  EXPECT_EQ(shows(edit("total = sum(lines)", "pass", "src/b.py")), "");  // another file
  EXPECT_EQ(shows(edit("total = sum(lines)", "pass"), kElsewhere), "");  // another conversation
  EXPECT_EQ(shows(edit("total = sum(lines)", "total = sum(lines)\nx = 1")), "");  // it stays
  EXPECT_EQ(shows(edit("total = sum(lines)", "pass")), "req_1 bad;");
}

TEST_F(EditMemoryTest, WantsHalfOfTheLinesGone) {
  local_answers("req_1");
  shows(whole("line one\nline two\nline three\nline four\n}\n"));
  EXPECT_EQ(shows(edit("line one", "line 1")), "");
  EXPECT_EQ(shows(edit("line two", "line 2")), "req_1 bad;");
}

TEST_F(EditMemoryTest, ComparesAFileThatIsWrittenAnewLineByLine) {
  local_answers("req_1");
  shows(whole("line one\nline two\nline three\n"));
  local_answers("req_2");
  EXPECT_EQ(shows(whole("  line one\nline two\nline four\n")), "");
  EXPECT_EQ(shows(whole("all is new\n")), "req_1 bad;req_2 bad;");
}

TEST_F(EditMemoryTest, CallsAnEditGoodThatStandsWhenAPersonHasSpokenTwice) {
  local_answers("req_1");
  shows(edit("return 1", "total = sum(lines)"));
  EXPECT_EQ(person_speaks(), "");
  EXPECT_EQ(told(memory_.spoke(kHere, messages_, now_ms_)), "");  // the same request again
  EXPECT_EQ(person_speaks(), "req_1 good;");
  EXPECT_EQ(person_speaks(), "");
  EXPECT_EQ(shows(edit("total = sum(lines)", "pass")), "");
}

TEST_F(EditMemoryTest, NamesAnAnswerWithSeveralEditsOnce) {
  const std::vector edits{edit("return 1", "total = sum(lines)"), edit("import os", "import sys"),
                          edit("import os", "import sys", "src/b.py")};
  for (const std::string request : {"req_1", "req_2"}) {
    local_answers(request);
    memory_.edited(kHere, messages_, edits, now_ms_);
    messages_ += 2;
    if (request == "req_2") break;
    EXPECT_EQ(shows(whole("all is new\n")), "req_1 bad;");
  }
  person_speaks();
  EXPECT_EQ(person_speaks(), "req_2 good;");
}

TEST_F(EditMemoryTest, BelievesOnlyTheHistoryThatTheAnswerWasAddedTo) {
  local_answers("req_1");
  messages_ += 2;  // something else came in between
  shows(edit("return 1", "total = sum(lines)"));
  EXPECT_EQ(shows(edit("total = sum(lines)", "pass")), "");
}

TEST_F(EditMemoryTest, ForgetsAfterADay) {
  local_answers("req_1");
  shows(edit("return 1", "total = sum(lines)"));
  now_ms_ += 25 * kHourMs;
  EXPECT_EQ(shows(edit("total = sum(lines)", "pass")), "");
}

TEST_F(EditMemoryTest, StaysWithinItsBounds) {
  for (int i = 0; i < 2000; ++i) {
    memory_.answered(static_cast<std::uint64_t>(i), 1, "req", now_ms_);
    memory_.edited(static_cast<std::uint64_t>(i), 1, std::vector{whole("some line")}, now_ms_);
  }
  EXPECT_EQ(told(memory_.edited(0, 3, std::vector{whole("another")}, now_ms_)), "");
  EXPECT_EQ(told(memory_.edited(1999, 3, std::vector{whole("another")}, now_ms_)), "req bad;");
}

}  // namespace
}  // namespace tophand::steering
