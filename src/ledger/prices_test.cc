#include "ledger/prices.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

namespace tophand::ledger {
namespace {

const PriceBook& book() {
  static const PriceBook loaded = PriceBook::load("").value();
  return loaded;
}

struct CostCase {
  const char* name;
  const char* model;
  TokenCounts tokens;
  NanoUsd expected;  // worked out by hand from the published dollars per million tokens
};

class Cost : public testing::TestWithParam<CostCase> {};

TEST_P(Cost, IsExactToTheNanoDollar) {
  const auto cost = book().cost(GetParam().model, GetParam().tokens);
  ASSERT_TRUE(cost) << cost.error().message;
  EXPECT_EQ(*cost, GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Prices, Cost,
    testing::Values(
        CostCase{"Nothing", "claude-opus-5-5", {}, 0},
        CostCase{
            "AMillionInputTokensOfOpus", "claude-opus-5-5", {.input = 1'000'000}, 4'000'000'000},
        // 12 * 4000 + 345 * 20000 = 48,000 + 6,900,000
        CostCase{"AShortAnswerOfOpus", "claude-opus-5-5", {.input = 12, .output = 345}, 6'948'000},
        // 3*4000 + 30000*200 + 1000*5000 + 2000*8000 + 500*20000
        CostCase{"EveryKindOfToken",
                 "claude-opus-5-5",
                 {.input = 3,
                  .cache_read = 30'000,
                  .cache_write_5m = 1000,
                  .cache_write_1h = 2000,
                  .output = 500},
                 12'000 + 6'000'000 + 5'000'000 + 16'000'000 + 10'000'000},
        CostCase{"SonnetCacheReadIsATenthOfADollar",
                 "claude-sonnet-5-5",
                 {.cache_read = 1'000'000},
                 100'000'000},
        CostCase{"OlderSonnetCacheReadIsDearer",
                 "claude-sonnet-5",
                 {.cache_read = 1'000'000},
                 200'000'000},
        CostCase{"FableCacheRead", "claude-fable-5-1", {.cache_read = 1}, 250},
        CostCase{"HaikuCacheWrite", "claude-haiku-5-5", {.cache_write_5m = 1}, 125},
        CostCase{"ADatedIdIsTheSameModel",
                 "claude-haiku-4-5-20251001",
                 {.input = 7, .output = 9},
                 52'000},
        // At exactly 100,000 the normal prices hold: 100,000 * 100 + 10 * 500.
        CostCase{"HaikuAtTheLongPromptLimit",
                 "claude-haiku-5-5",
                 {.input = 100'000, .output = 10},
                 10'005'000},
        // One more and every token is dearer: 100,001 * 500 + 10 * 2500.
        CostCase{"HaikuOverTheLongPromptLimit",
                 "claude-haiku-5-5",
                 {.input = 100'001, .output = 10},
                 50'025'500},
        // Cached tokens count towards the limit: 1*500 + 60000*50 + 20000*625 + 20000*1000.
        CostCase{
            "HaikuOverTheLimitByCachedTokens",
            "claude-haiku-5-5",
            {.input = 1, .cache_read = 60'000, .cache_write_5m = 20'000, .cache_write_1h = 20'000},
            500 + 3'000'000 + 12'500'000 + 20'000'000}),
    [](const auto& param) { return std::string(param.param.name); });

// Agents of some age ask for models that are no more: they show a 404 as a matter of the model, and
// their users want the names that there are.
TEST(PriceBook, RefusesAModelWithoutAPriceAndSaysWhichHaveOneAndWhereToAddIt) {
  const auto cost = book().cost("claude-future-9", {.input = 1});
  const auto worst_case = book().worst_case("claude-future-9", {});
  ASSERT_FALSE(cost);
  ASSERT_FALSE(worst_case);
  EXPECT_EQ(cost.error().code, Code::kNotFound);
  EXPECT_TRUE(cost.error().message.starts_with("model claude-future-9 has no price"))
      << cost.error().message;
  EXPECT_NE(cost.error().message.find("claude-opus-5-5, "), std::string::npos);
  EXPECT_NE(cost.error().message.find("prices file"), std::string::npos);
  EXPECT_EQ(worst_case.error().message, cost.error().message);
}

TEST(PriceBook, MatchesOnlyARealDateSuffix) {
  EXPECT_NE(book().find("claude-opus-5-5-20261001"), nullptr);
  for (const char* id :
       {"claude-opus-5-5-2026100", "claude-opus-5-5-2026100x", "claude-opus-5-520261001",
        "claude-opus-5-5-20261001-20261001", "-20261001", "20261001", ""})
    EXPECT_EQ(book().find(id), nullptr) << id;
  // "claude-opus-5" is a model of its own, not a prefix of others.
  EXPECT_EQ(book().find("claude-opus-5")->price.input, 5000);
  EXPECT_EQ(book().find("claude-opus-5-5")->price.input, 4000);
}

TEST(PriceBook, RefusesAmountsThatDoNotFit) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(book().cost("claude-opus-5-5", {.input = kMost}).error().code, Code::kTooLarge);
  EXPECT_EQ(book().cost("claude-opus-5-5", {.input = kMost / 4000, .output = 1}).error().code,
            Code::kTooLarge);
  EXPECT_EQ(book().cost("claude-opus-5-5", {.input = kMost, .cache_read = 1}).error().code,
            Code::kTooLarge);
  EXPECT_EQ(book().cost("claude-opus-5-5", {.output = -1}).error().code, Code::kInvalid);
  const auto worst = [](std::string_view model, Exposure exposure) {
    return book().worst_case(model, exposure).error().code;
  };
  EXPECT_EQ(worst("claude-opus-5-5", {.prompt_tokens = kMost}), Code::kTooLarge);
  EXPECT_EQ(worst("claude-opus-5-5", {.max_output = kMost}), Code::kTooLarge);
  EXPECT_EQ(worst("claude-opus-5-5", {.rounds = kMost}), Code::kTooLarge);
  EXPECT_EQ(worst("claude-opus-5-5", {.web_searches = kMost}), Code::kTooLarge);
  EXPECT_EQ(worst("claude-opus-5-5", {.prompt_tokens = -1}), Code::kInvalid);
  EXPECT_EQ(worst("claude-opus-5-5", {.tool_tokens = -1}), Code::kInvalid);
  EXPECT_EQ(worst("claude-future-9", {}), Code::kNotFound);
}

NanoUsd worst(std::string_view model, const Exposure& exposure) {
  return book().worst_case(model, exposure).value();
}

TEST(PriceBook, WorstCaseTakesTheDearestInputRateThatWasAskedFor) {
  // (976 + 1024 hidden) tokens at $4, at the 5-minute write, $5, at the one-hour write, $8; and 100
  // at $20.
  Exposure small{.prompt_tokens = 976, .max_output = 100};
  EXPECT_EQ(worst("claude-opus-5-5", small), 2000 * 4000 + 100 * 20'000);
  small.cache_write = CacheWrite::k5m;
  EXPECT_EQ(worst("claude-opus-5-5", small), 2000 * 5000 + 100 * 20'000);
  small.cache_write = CacheWrite::k1h;
  EXPECT_EQ(worst("claude-opus-5-5", small), 2000 * 8000 + 100 * 20'000);
  // Haiku could be over the long-prompt limit: (99,000 + 1024) at $1.00, 10 at $2.50.
  Exposure large{.prompt_tokens = 99'000, .cache_write = CacheWrite::k1h, .max_output = 10};
  EXPECT_EQ(worst("claude-haiku-5-5", large), 100'024 * 1000 + 10 * 2500);
  // And here it could not: (98,976 + 1024) at $0.20, 10 at $0.50.
  large.prompt_tokens = 98'976;
  EXPECT_EQ(worst("claude-haiku-5-5", large), 100'000 * 200 + 10 * 500);
}

TEST(PriceBook, WorstCaseIsBoundedByTheContext) {
  // Claude Haiku 4.5 takes 200,000 tokens at $1, others at most a million.
  EXPECT_EQ(worst("claude-haiku-4-5", {.prompt_tokens = 900'000}), 200'000 * 1000);
  EXPECT_EQ(worst("claude-haiku-4-5", {.whole_context = true}), 200'000 * 1000);
  EXPECT_EQ(worst("claude-opus-5-5", {.prompt_tokens = 9'000'000}), 1'000'000LL * 4000);
}

TEST(PriceBook, WorstCaseOfServerToolsReadsThePromptAgainAndAgain) {
  // Rounds of 2,000, then 2,000 + 500 + 100, then 3,200 tokens, which the provider may write into
  // its cache ($5); 100 out at $20; 2 searches of a cent.
  const Exposure exposure{
      .prompt_tokens = 976, .rounds = 3, .tool_tokens = 500, .web_searches = 2, .max_output = 100};
  EXPECT_EQ(worst("claude-opus-5-5", exposure),
            (2000 + 2600 + 3200) * 5000 + 100 * 20'000 + 2 * 10'000'000);
}

TEST(PriceBook, ChargesWebSearchesAndTermsToTheNanoDollar) {
  const auto cost = [](std::string_view model, const TokenCounts& tokens, Terms terms) {
    return book().cost(model, tokens, terms).value();
  };
  const TokenCounts tokens{.input = 100, .output = 10, .web_searches = 3};
  // 100 * 4000 + 10 * 20000 = 600,000 for tokens, 30,000,000 for searches ($10 for 1,000).
  EXPECT_EQ(cost("claude-opus-5-5", tokens, {}), 30'600'000);
  EXPECT_EQ(cost("claude-opus-5-5", tokens, {.batch = true}), 30'300'000);
  EXPECT_EQ(cost("claude-opus-5-5", tokens, {.us_only = true}), 30'660'000);
  EXPECT_EQ(cost("claude-opus-5-5", tokens, {.batch = true, .us_only = true}), 30'330'000);
  // 1 * 125 * 0.5 = 62.5 and 1 * 10 * 1.1 * 0.5 = 5.5: rounded up, once.
  EXPECT_EQ(cost("claude-haiku-5-5", {.cache_write_5m = 1}, {.batch = true}), 63);
  EXPECT_EQ(cost("claude-haiku-5-5", {.cache_read = 1}, {.batch = true, .us_only = true}), 6);
  EXPECT_EQ(cost("claude-haiku-5-5", {.cache_read = 2}, {.batch = true, .us_only = true}), 11);
  // What was thought is part of the output.
  EXPECT_EQ(cost("claude-opus-5-5", {.output = 10, .thinking = 8}, {}), 200'000);
}

TEST(PriceBook, RefusesTermsAndSearchesThatItHasNoPriceFor) {
  const PriceBook bare =
      PriceBook::parse(R"({"date":"2026-01-01","models":[{"id":"m","input":"1","output":"2",
        "cache_write_5m":"1","cache_write_1h":"1","cache_read":"1"}]})",
                       "bare")
          .value();
  EXPECT_TRUE(bare.cost("m", {.input = 1}));
  EXPECT_EQ(bare.cost("m", {.input = 1}, {.batch = true}).error().code, Code::kInvalid);
  EXPECT_EQ(bare.worst_case("m", {.terms = {.us_only = true}}).error().code, Code::kInvalid);
  EXPECT_EQ(bare.worst_case("m", {.web_searches = 1}).error().code, Code::kInvalid);
}

TEST(PriceBook, WorstCaseBoundsEverySplitOfThePromptIntoKindsOfTokens) {
  for (const ModelPrice& model : book().models())
    for (const std::int64_t bytes : {0, 1, 5000, 98'976, 98'977, 100'000, 150'000, 3'000'000})
      for (const Terms terms : {Terms{}, Terms{.us_only = true}}) {
        const Exposure exposure{.prompt_tokens = bytes,
                                .cache_write = CacheWrite::k1h,
                                .max_output = 300,
                                .terms = terms};
        const NanoUsd bound = worst(model.model, exposure);
        const std::int64_t context =
            model.context_tokens > 0 ? model.context_tokens : kContextTokensMax;
        const std::int64_t most = std::min(context, bytes + kHiddenPromptTokens);
        for (const TokenCounts& tokens :
             std::vector<TokenCounts>{{.input = most, .output = 300},
                                      {.cache_read = most, .output = 300},
                                      {.cache_write_5m = most, .output = 300},
                                      {.cache_write_1h = most, .output = 300},
                                      {.input = most / 2, .cache_write_1h = most / 2, .output = 1}})
          EXPECT_LE(book().cost(model.model, tokens, terms).value(), bound)
              << model.model << " " << bytes;
      }
}

TEST(PriceBook, HasTheBuiltInFileAsItIsInTheRepository) {
  std::ifstream in(TOPHAND_SOURCE_DIR "/prices/anthropic.json");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(PriceBook::parse(text, "x").value().version(), book().version());
  EXPECT_EQ(book().version().substr(0, 10), "2026-10-07");
  EXPECT_EQ(book().models().size(), 13U);
}

TEST(PriceBook, StampsAnotherVersionWhenOneByteChanges) {
  const std::string text = R"({"date":"2026-01-01","models":[{"id":"m","input":"1","output":"2",
    "cache_write_5m":"1","cache_write_1h":"1","cache_read":"1"}]})";
  EXPECT_NE(PriceBook::parse(text, "x").value().version(),
            PriceBook::parse(text + " ", "x").value().version());
}

struct FaultCase {
  const char* name;
  std::string json;
  const char* says;
};

class Fault : public testing::TestWithParam<FaultCase> {};

std::string one_model(const std::string& fields) {
  return R"({"date":"2026-01-01","models":[{"id":"m",)" + fields + "}]}";
}
const std::string kGood =
    R"("input":"1","output":"2","cache_write_5m":"1","cache_write_1h":"1","cache_read":"1")";

TEST_P(Fault, IsAConfigErrorThatNamesIt) {
  const auto parsed = PriceBook::parse(GetParam().json, "my.json");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, Code::kConfig);
  EXPECT_NE(parsed.error().message.find(GetParam().says), std::string::npos)
      << parsed.error().message;
  EXPECT_NE(parsed.error().message.find("my.json"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    Prices, Fault,
    testing::Values(
        FaultCase{"NotJson", "{", "malformed JSON"},
        FaultCase{"NoDate", R"({"models":[]})", "\"date\""},
        FaultCase{"NoModels", R"({"date":"2026-01-01"})", "\"models\""},
        FaultCase{"EmptyModels", R"({"date":"2026-01-01","models":[]})", "\"models\""},
        FaultCase{"ModelThatIsNoObject", R"({"date":"2026-01-01","models":[1]})", "\"id\""},
        FaultCase{"MissingField", one_model(R"("input":"1")"), "\"output\""},
        FaultCase{"PriceAsANumber", one_model(R"("input":1.5)"), "\"input\""},
        FaultCase{"NegativePrice", one_model(R"("input":"-1")"), "\"input\""},
        FaultCase{"FourDecimals", one_model(R"("input":"0.0001")"), "\"input\""},
        FaultCase{"EmptyDecimals", one_model(R"("input":"1.")"), "\"input\""},
        FaultCase{"HugePrice", one_model(R"("input":"99999999999999999999")"), "\"input\""},
        FaultCase{"LongPromptWithoutALimit", one_model(kGood + R"(,"long_prompt":{})"), "\"over\""},
        FaultCase{"ContextOfWords", one_model(kGood + R"(,"context":-1)"), "\"context\""},
        FaultCase{"BatchAsANumber",
                  R"({"date":"2026-01-01","batch":0.5,"models":[{"id":"m",)" + kGood + "}]}",
                  "\"batch\""},
        FaultCase{"UsOnlyAsWords",
                  R"({"date":"2026-01-01","us_only":"x","models":[{"id":"m",)" + kGood + "}]}",
                  "\"us_only\""},
        FaultCase{"TheSameModelTwice",
                  R"({"date":"2026-01-01","models":[{"id":"m",)" + kGood + R"(},{"id":"m",)" +
                      kGood + "}]}",
                  "twice"}),
    [](const auto& param) { return std::string(param.param.name); });

TEST(PriceBook, SaysWhichFileCannotBeRead) {
  const auto loaded = PriceBook::load("/nonexistent/prices.json");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Code::kConfig);
  EXPECT_NE(loaded.error().message.find("/nonexistent/prices.json"), std::string::npos);
}

}  // namespace
}  // namespace tophand::ledger
