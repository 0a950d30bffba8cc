#include "dispatch/embedding.h"

#include <gtest/gtest.h>

#include "dispatch/test_support.h"

namespace tophand::dispatch {
namespace {

class Embedder final : public backend::Backend {
 public:
  explicit Embedder(std::int64_t counted) : counted_(counted) {}
  backend::Report answer(const backend::Call&, backend::Sink&, const net::Cancellation&) override {
    return backend::refused({Code::kBug, "not asked"});
  }
  Result<std::int64_t> count(const backend::Call&, const net::Cancellation&) override { return 0; }
  Result<chat::EmbeddingAnswer> embed(const std::string&, const chat::EmbeddingRequest& request,
                                      const net::Cancellation&) override {
    chat::EmbeddingAnswer answer;
    answer.items.resize(request.inputs.size());
    answer.items.front().input_tokens = counted_;
    return answer;
  }

 private:
  std::int64_t counted_;
};

std::int64_t tokens_in_ledger(std::int64_t counted) {
  Embedder embedder(counted);
  FakeLedger ledger;
  FakeClock clock;
  net::CancelFlag never;
  const chat::EmbeddingRequest request{.inputs = {"twelve bytes", "and some more words here"}};
  EmbeddingJob job;
  job.request_id = "req_1";
  job.request = &request;
  job.backend = &embedder;
  const auto answer = run_embedding(ledger, clock, job, never);
  EXPECT_TRUE(answer);
  EXPECT_EQ(answer->input_tokens(), ledger.settled.at(0).second.tokens.input);
  return ledger.settled.at(0).second.tokens.input;
}

TEST(RunEmbedding, CountsAsTheServerDoesAndEstimatesWhereItDoesNot) {
  EXPECT_EQ(tokens_in_ledger(42), 42);
  EXPECT_GT(tokens_in_ledger(0), 3);
}

}  // namespace
}  // namespace tophand::dispatch
