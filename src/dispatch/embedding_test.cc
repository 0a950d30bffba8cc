#include "dispatch/embedding.h"

#include <gtest/gtest.h>

#include <map>

#include "dispatch/test_support.h"

namespace tophand::dispatch {
namespace {

class Embedder final : public backend::Backend {
 public:
  backend::Report answer(const backend::Call&, backend::Sink&, const net::Cancellation&) override {
    return backend::refused({Code::kBug, "not asked"});
  }
  Result<std::int64_t> count(const backend::Call&, const net::Cancellation&) override { return 0; }
  Result<chat::EmbeddingAnswer> embed(const std::string&, const chat::EmbeddingRequest& request,
                                      net::Headers& kept, const net::Cancellation&) override {
    ++calls;
    if (!retry_after.empty()) kept.set("retry-after", retry_after);
    if (failure) return tl::unexpected(*failure);
    chat::EmbeddingAnswer answer;
    answer.items.resize(request.inputs.size());
    answer.items.front().input_tokens = counted;
    return answer;
  }

  std::int64_t counted = 42;
  std::optional<Error> failure;
  std::string retry_after;
  int calls = 0;
};

const Target kA{Place::kLocal, "m", "a"}, kB{Place::kLocal, "m", "b"};

struct EmbeddingRig {
  EmbeddingRig() : rig(refuses(Code::kBug), refuses(Code::kBug)) {
    Deps deps = rig.deps();
    deps.backend_for = [this](const Target& target) -> backend::Backend* {
      const auto found = embedders.find(target.backend);
      return found == embedders.end() ? nullptr : &found->second;
    };
    dispatcher.emplace(std::move(deps));
    job.request_id = "req_1";
    job.request = &request;
    job.targets = {kA, kB};
  }
  EmbeddingOutcome run() const { return dispatcher->embed(job, rig.never); }

  Rig rig;
  std::map<std::string, Embedder> embedders{{"a", {}}, {"b", {}}};
  const chat::EmbeddingRequest request{.inputs = {"twelve bytes", "and some more words here"}};
  EmbeddingJob job;
  std::optional<Dispatcher> dispatcher;
};

TEST(Embedding, CountsAsTheServerDoesAndEstimatesWhereItDoesNot) {
  for (const std::int64_t counted : {42, 0}) {
    EmbeddingRig rig;
    rig.embedders["a"].counted = counted;
    const auto outcome = rig.run();
    ASSERT_TRUE(outcome.answer);
    const std::int64_t booked = rig.rig.ledger.settled.at(0).second.tokens.input;
    EXPECT_EQ(outcome.answer->input_tokens(), booked);
    if (counted > 0) EXPECT_EQ(booked, counted);
    else EXPECT_GT(booked, 3);
  }
}

TEST(Embedding, AFailureIsMadeGoodElsewhereWithARowEach) {
  for (const Code code : {Code::kUnavailable, Code::kUpstream, Code::kExhausted, Code::kNotFound}) {
    EmbeddingRig rig;
    rig.embedders["a"].failure = Error{code, "no"};
    const auto outcome = rig.run();
    EXPECT_TRUE(outcome.answer) << info(code).name;
    EXPECT_EQ(outcome.target, kB);
    ASSERT_EQ(rig.rig.ledger.starts.size(), 2u);
    EXPECT_EQ(rig.rig.ledger.starts[1].attempt, 2);
    EXPECT_EQ(rig.rig.ledger.settled.at(0).second.error_code, info(code).name);
  }
}

TEST(Embedding, WhatTheLastOneAskedSaysOfAskingAgainIsKept) {
  EmbeddingRig rig;
  for (const char* name : {"a", "b"}) {
    rig.embedders[name].failure = Error{Code::kExhausted, "no"};
    rig.embedders[name].retry_after = name == std::string_view("a") ? "20" : "7";
  }
  const auto outcome = rig.run();
  ASSERT_FALSE(outcome.answer);
  EXPECT_EQ(outcome.target, kB);
  EXPECT_EQ(outcome.kept.all().size(), 1u);
  EXPECT_EQ(outcome.kept.get("retry-after"), "7");
}

TEST(Embedding, AWrongRequestIsWrongEverywhere) {
  EmbeddingRig rig;
  rig.embedders["a"].failure = Error{Code::kInvalid, "no"};
  EXPECT_EQ(rig.run().answer.error().code, Code::kInvalid);
  EXPECT_EQ(rig.embedders["b"].calls, 0);
}

TEST(Embedding, ABackendThatKeepsFailingIsPassedOverAndTheLastOneIsAsked) {
  EmbeddingRig rig;
  rig.embedders["a"].failure = Error{Code::kUnavailable, "no"};
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(rig.run().answer);
  EXPECT_EQ(rig.embedders["a"].calls, 5);
  rig.job.targets = {kA};
  EXPECT_EQ(rig.run().answer.error().code, Code::kUnavailable);
  EXPECT_EQ(rig.embedders["a"].calls, 6);
}

TEST(Embedding, WithoutABackendThereIsNone) {
  EmbeddingRig rig;
  rig.embedders.clear();
  EXPECT_EQ(rig.run().answer.error().code, Code::kUnavailable);
  EXPECT_TRUE(rig.rig.ledger.starts.empty());
}

}  // namespace
}  // namespace tophand::dispatch
