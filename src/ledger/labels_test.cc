#include <gtest/gtest.h>

#include <string>

#include "ledger/ledger.h"
#include "ledger/test_support.h"

namespace tophand::ledger {
namespace {

class LabelsTest : public testing::Test {
 protected:
  void SetUp() override { open(); }
  void open() {
    ledger_.reset();
    auto opened = Ledger::open(folder_.path() + "/ledger.db", clock_, "prices", std::nullopt);
    ASSERT_TRUE(opened) << opened.error().message;
    ledger_ = std::move(*opened);
  }
  void answered(AttemptStart start, std::int64_t attempt = 1) {
    start.task_class = "qa";
    start.model = "small:1b";
    start.attempt = attempt;
    const auto row = ledger_->begin(start);
    ASSERT_TRUE(row);
    ASSERT_TRUE(ledger_->settle(*row, {}));
  }
  Result<Label> add(const std::string& id, const std::string& source = "human") {
    return ledger_->add_label({.request_id = id, .source = source, .verdict = "bad"});
  }

  TemporaryFolder folder_;
  FakeClock clock_;
  std::unique_ptr<Ledger> ledger_;
};

TEST_F(LabelsTest, NameTheRowAndOutliveTheProcess) {
  answered(local("req_1"));
  AttemptStart elsewhere = local("req_2");
  elsewhere.backend = "ws2";
  answered(elsewhere);
  ASSERT_TRUE(ledger_->add_label({.request_id = "req_1",
                                  .source = "human",
                                  .verdict = "bad",
                                  .note = "wrong file",
                                  .version = "v1",
                                  .gate = "passed"}));
  clock_.advance_ms(5);
  ASSERT_TRUE(add("req_2", "downstream"));
  open();
  const auto labels = ledger_->labels_after(0, 10);
  ASSERT_TRUE(labels);
  ASSERT_EQ(labels->size(), 2U);
  EXPECT_EQ(labels->at(0).request_id, "req_1");
  EXPECT_EQ(labels->at(0).row_id, ledger_->rows_of("req_1")->at(0).id);
  EXPECT_EQ(labels->at(0).note, "wrong file");
  EXPECT_EQ(labels->at(0).task_class, "qa");
  EXPECT_EQ(labels->at(0).model, "small:1b");
  EXPECT_EQ(labels->at(1).model, "ws2/small:1b");
  EXPECT_EQ(labels->at(1).time_ms, labels->at(0).time_ms + 5);
  EXPECT_EQ(ledger_->labels_after(labels->at(0).id, 10)->at(0).request_id, "req_2");
}

TEST_F(LabelsTest, AreForTheAnswerThatTheClientGot) {
  answered(local("req_1"), 1);
  answered(paid("req_1", 10), 2);
  AttemptStart shadow = local("req_2");
  shadow.purpose = "shadow";
  answered(paid("req_2", 10), 1);
  answered(shadow, 11);
  EXPECT_EQ(add("req_1").error().code, Code::kConflict);  // local failed, Claude answered
  EXPECT_EQ(add("req_2").error().code, Code::kConflict);
  const auto of_shadow = ledger_->add_label(
      {.request_id = "req_2", .attempt = 11, .source = "shadow", .verdict = "good"});
  ASSERT_TRUE(of_shadow);
  EXPECT_EQ(of_shadow->row_id, ledger_->rows_of("req_2")->back().id);
  EXPECT_EQ(add("req_3").error().code, Code::kNotFound);
}

TEST_F(LabelsTest, OfClaudeAreAJudgesOnly) {
  answered(paid("req_1", 10), 1);
  EXPECT_EQ(add("req_1", "human").error().code, Code::kConflict);
  const auto judged = add("req_1", "audit_judge");
  ASSERT_TRUE(judged);
  EXPECT_EQ(judged->model, "claude/" + ledger_->rows_of("req_1")->back().model);
}

TEST_F(LabelsTest, RefuseWhatMeansNothingAndMoreThanTheirShare) {
  answered(local("req_1"));
  EXPECT_FALSE(add("req_1", "rumour"));
  for (int i = 0; i < kLabelsOfARowMax; ++i) EXPECT_TRUE(add("req_1"));
  EXPECT_EQ(add("req_1").error().code, Code::kConflict);
  EXPECT_EQ(ledger_->labels_after(0, 100)->size(), static_cast<std::size_t>(kLabelsOfARowMax));
}

}  // namespace
}  // namespace tophand::ledger
