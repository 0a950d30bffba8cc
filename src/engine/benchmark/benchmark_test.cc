// That a benchmark measures what it says and adds up; never how fast.
#include "engine/benchmark/benchmark.h"

#include <gtest/gtest.h>

#include <string>

namespace tophand::engine {
namespace {

BenchmarkOptions tiny() {
  BenchmarkOptions options;
  options.load.path = TOPHAND_SOURCE_DIR "/tests/reference/data/tiny_qwen2.gguf";
  options.load.threads = 2;
  options.prompt_tokens = 20;
  options.generate_tokens = 5;
  options.repeats = 2;
  return options;
}

TEST(Benchmark, GivesFiguresThatFitTogether) {
  std::vector<std::string> steps;
  const auto done = run_benchmark(tiny(), [&](std::string_view step, double share) {
    if (steps.empty() || steps.back() != step) steps.emplace_back(step);
    EXPECT_GE(share, 0.0);
    EXPECT_LE(share, 1.0);
    return true;
  });
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(steps, (std::vector<std::string>{"load", "machine limits, before", "round 1 of 2",
                                             "round 2 of 2", "machine limits, after"}));
  EXPECT_EQ(done->model.context_tokens, 25);
  for (const Spread& spread : {done->prefill_tokens_per_second, done->decode_tokens_per_second,
                               done->first_token_seconds}) {
    EXPECT_GT(spread.min, 0.0);
    EXPECT_LE(spread.min, spread.median);
    EXPECT_LE(spread.median, spread.max);
  }
  EXPECT_GE(done->load_to_first_token_seconds, done->load_seconds);
  EXPECT_GT(done->limits.memory_bytes_per_second, 0.0);
  EXPECT_GT(done->limits.multiply_adds.front().per_second, 0.0);
  EXPECT_DOUBLE_EQ(done->decode.limit * done->decode_bytes_per_token,
                   done->limits.memory_bytes_per_second);
  EXPECT_DOUBLE_EQ(done->decode.share * done->decode.limit, done->decode_tokens_per_second.median);
}

// tiny_qwen2 (tests/reference/make_tiny_models.py): d 64, ff 96, 2 layers, 4 heads and 2 KV heads
// of 16, vocabulary 288, tied head.
TEST(Benchmark, CountsProductsAndBytesByTheShape) {
  const auto done = run_benchmark(tiny(), nullptr);
  ASSERT_TRUE(done) << done.error().message;
  const double d = 64, ff = 96, queries = 64, keys = 32, vocabulary = 288, layers = 2;
  const double layer = d * queries + 2 * d * keys + queries * d + 3 * d * ff;
  EXPECT_DOUBLE_EQ(done->prefill_products_per_token, layers * layer + d * vocabulary / 20);
  const double cached = layers * 2 * keys * 2 * (20 + 2.5);  // float16, to the middle of the five
  EXPECT_DOUBLE_EQ(done->decode_bytes_per_token,
                   static_cast<double>(done->model.memory.weights) + cached);
}

TEST(Benchmark, StopsWhenAsked) {
  const auto done =
      run_benchmark(tiny(), [](std::string_view step, double) { return step != "round 1 of 2"; });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kCancelled);
}

TEST(Benchmark, RefusesAKernelThatIsNotThere) {
  BenchmarkOptions options = tiny();
  options.load.kernel = "mmx";
  const auto done = run_benchmark(options, nullptr);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("mmx"), std::string::npos);
}

TEST(MachineLimits, KeepTheBetterOfTwoMeasurements) {
  MachineLimits first, second;
  first.memory_bytes_per_second = 10;
  first.memory_streams = 4;
  first.caches = {{2, 1024, 100}};
  first.multiply_adds = {{"a", 5}, {"b", 9}};
  second.memory_bytes_per_second = 12;
  second.memory_streams = 8;
  second.caches = {{2, 1024, 90}};
  second.multiply_adds = {{"a", 6}, {"b", 8}};
  first.keep_best(second);
  EXPECT_EQ(first.memory_bytes_per_second, 12);
  EXPECT_EQ(first.memory_streams, 8u);
  EXPECT_EQ(first.caches[0].bytes_per_second, 100);
  EXPECT_EQ(first.multiply_adds[0].per_second, 6);
  EXPECT_EQ(first.multiply_adds[1].per_second, 9);
}

TEST(Spread, IsTheMedianBetweenTheExtremes) {
  const Spread odd = spread_of({3, 1, 2});
  EXPECT_EQ(odd.median, 2);
  EXPECT_EQ(odd.min, 1);
  EXPECT_EQ(odd.max, 3);
  EXPECT_EQ(spread_of({4, 1, 2, 3}).median, 2.5);
}

}  // namespace
}  // namespace tophand::engine
