// What the Message Batches API says, by the examples of its reference.
#include "backend/claude_batches.h"

#include <gtest/gtest.h>

namespace tophand::backend {
namespace {

constexpr const char* kBatch = R"({"id":"msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d","type":"message_batch",
  "processing_status":"in_progress","request_counts":{"processing":2,"succeeded":1,"errored":0,
  "canceled":0,"expired":1},"ended_at":null,"created_at":"2024-09-24T18:37:24.100435Z",
  "expires_at":"2024-09-25T18:37:24.100435Z","cancel_initiated_at":null,"results_url":null})";

TEST(ClaudeBatches, ABatchIsReadAsTheReferenceShowsIt) {
  const auto batch = parse_batch(kBatch);
  ASSERT_TRUE(batch) << batch.error().message;
  EXPECT_EQ(batch->id, "msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d");
  EXPECT_FALSE(batch->ended);
  EXPECT_EQ(batch->items, 4);
  EXPECT_EQ(batch->created_ms, 1'727'203'044'000);  // date -u -d 2024-09-24T18:37:24 +%s
  std::string ended = kBatch;
  ended.replace(ended.find("in_progress"), 11, "ended");
  EXPECT_TRUE(parse_batch(ended)->ended);
}

TEST(ClaudeBatches, AListHasManyAndMayBeEmpty) {
  const auto list = parse_batch_list(std::string(R"({"data":[)") + kBatch + "," + kBatch + "]}");
  ASSERT_TRUE(list) << list.error().message;
  EXPECT_EQ(list->size(), 2u);
  EXPECT_TRUE(parse_batch_list(R"({"data":[]})")->empty());
  EXPECT_FALSE(parse_batch_list(R"({"data":[{}]})"));
  EXPECT_FALSE(parse_batch_list("[]"));
}

TEST(ClaudeBatches, AResultIsOneOfFour) {
  using Type = BatchResult::Type;
  const auto of = [](const char* result) {
    return parse_batch_result(std::string(R"({"custom_id":"req_1","result":)") + result + "}");
  };
  EXPECT_EQ(of(R"({"type":"canceled"})")->type, Type::kCanceled);
  EXPECT_EQ(of(R"({"type":"expired"})")->type, Type::kExpired);
  const auto good = of(R"({"type":"succeeded","message":{"id":"msg_1","content":[]}})");
  ASSERT_TRUE(good);
  EXPECT_EQ(good->type, Type::kSucceeded);
  EXPECT_EQ(good->custom_id, "req_1");
  EXPECT_EQ(good->message, R"({"id":"msg_1","content":[]})");
  const auto bad = of(R"({"type":"errored","error":{"type":"error","error":
    {"type":"invalid_request_error","message":"max_tokens: Field required"},"request_id":"r"}})");
  ASSERT_TRUE(bad);
  EXPECT_EQ(bad->type, Type::kErrored);
  EXPECT_EQ(bad->failure.error.code, Code::kInvalid);
  EXPECT_EQ(bad->failure.error.message, "max_tokens: Field required");
  EXPECT_EQ(bad->failure.upstream_type, "invalid_request_error");
}

TEST(ClaudeBatches, WhatIsNoneIsRefused) {
  for (const char* text :
       {"", "[]", "{}", R"({"id":"../x"})", R"({"id":"b","processing_status":"x"})",
        R"({"id":"b","processing_status":"ended","request_counts":{}})"})
    EXPECT_FALSE(parse_batch(text)) << text;
  for (const char* text :
       {"", "{}", R"({"custom_id":"a/b","result":{"type":"expired"}})", R"({"custom_id":"a"})",
        R"({"custom_id":"a","result":{"type":"succeeded"}})",
        R"({"custom_id":"a","result":{"type":"gone"}})"})
    EXPECT_FALSE(parse_batch_result(text)) << text;
}

TEST(ClaudeBatches, ABatchIsWrittenAsTheReferenceWantsIt) {
  EXPECT_EQ(write_batch({{"req_1", R"({"model":"m"})"}, {"req_2", R"({"model":"n"})"}}),
            R"({"requests":[{"custom_id":"req_1","params":{"model":"m"}},)"
            R"({"custom_id":"req_2","params":{"model":"n"}}]})");
}

TEST(ClaudeBatches, OnlyACertainRefusalMeansThatNothingWasMade) {
  for (const Code code : {Code::kInvalid, Code::kUnavailable, Code::kExhausted, Code::kConfig})
    EXPECT_TRUE(was_refused({code, ""})) << info(code).name;
  for (const Code code : {Code::kIo, Code::kDeadline, Code::kCancelled, Code::kUpstream})
    EXPECT_FALSE(was_refused({code, ""})) << info(code).name;
}

}  // namespace
}  // namespace tophand::backend
