#include "deferral/batch_log.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/temporary_folder_for_tests.h"

namespace tophand::deferral {
namespace {

const Batch kBatch{.stage = Batch::Stage::kSent,
                   .name = "b1",
                   .provider_id = "msgbatch_1",
                   .sent_ms = 1'790'000'000'000,
                   .stopped = true,
                   .items = {{"req_1", 1, "claude-opus-5-5"}, {"req_2", 4, "claude-haiku-5-5"}}};

TEST(BatchLog, IsFoundAgainAsItWas) {
  const TemporaryFolder folder;
  const BatchLog log(folder.path());
  ASSERT_TRUE(log.save(kBatch));
  Batch other = kBatch;
  other.name = "b2";
  other.stage = Batch::Stage::kReserving;
  ASSERT_TRUE(log.save(other));
  log.remove(other);
  const auto found = BatchLog(folder.path()).load();
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_EQ(found->size(), 1u);
  const Batch& batch = found->front();
  EXPECT_EQ(batch.stage, kBatch.stage);
  EXPECT_EQ(batch.provider_id, kBatch.provider_id);
  EXPECT_EQ(batch.sent_ms, kBatch.sent_ms);
  EXPECT_TRUE(batch.stopped);
  EXPECT_EQ(batch.items, kBatch.items);
}

TEST(BatchLog, PassesOverWhatIsNoneAndKeepsTheFile) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() + "/b1.batch") << "{}";
  std::ofstream(folder.path() + "/b2.batch") << write_batch(kBatch);  // under another name
  std::ofstream(folder.path() + "/req_1.request") << "{}";
  EXPECT_TRUE(BatchLog(folder.path()).load()->empty());
  EXPECT_TRUE(std::filesystem::exists(folder.path() + "/b1.batch"));
}

TEST(BatchLog, RefusesWhatCannotBe) {
  for (const char* text :
       {"", "[]", R"({"stage":"gone","items":[]})", R"({"stage":"sent","items":[]})",
        R"({"stage":"sending","items":1})", R"({"stage":"sending","items":[{"request_id":"r"}]})",
        R"({"stage":"sending","items":[{"request_id":"r","attempt":0,"model":"m"}]})"})
    EXPECT_FALSE(read_batch(text)) << text;
}

}  // namespace
}  // namespace tophand::deferral
