// The engine against logits that other programs computed (tests/reference).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <numeric>

#include "base/json.h"
#include "engine/session.h"

namespace tophand::engine {
namespace {

const std::string kData = std::string(TOPHAND_SOURCE_DIR) + "/tests/reference/data/";

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<text::TokenId> test_ids() {
  return parse_json(read_file(kData + "ids.json"))->get<std::vector<text::TokenId>>();
}

std::unique_ptr<Model> load(const std::string& name, int threads, const std::string& kernel = "") {
  LoadOptions options;
  options.path = kData + name + ".gguf";
  options.threads = threads;
  options.kernel = kernel;
  auto model = Model::load(options, nullptr);
  EXPECT_TRUE(model) << model.error().message;
  return model ? std::move(*model) : nullptr;
}

std::vector<float> logits_of(const Model& model, std::span<const text::TokenId> ids) {
  auto session = Session::create(model);
  EXPECT_TRUE(session) << session.error().message;
  std::vector<float> out;
  const auto done = (*session)->forward_all(ids, [&](std::int64_t, std::span<const float> row) {
    out.insert(out.end(), row.begin(), row.end());
  });
  EXPECT_TRUE(done);
  return out;
}

// Largest over positions of |got - want| / |want|, both as vectors over the vocabulary.
double worst_relative_error(const std::vector<float>& got, const std::vector<float>& want,
                            std::size_t vocabulary) {
  double worst = 0.0;
  for (std::size_t begin = 0; begin < want.size(); begin += vocabulary) {
    double difference = 0.0, size = 0.0;
    for (std::size_t i = begin; i < begin + vocabulary; ++i) {
      difference += std::pow(static_cast<double>(got[i]) - static_cast<double>(want[i]), 2);
      size += std::pow(static_cast<double>(want[i]), 2);
    }
    worst = std::max(worst, std::sqrt(difference / size));
  }
  return worst;
}

// Tiny random models made by transformers. Their matrices are float16 or ternary, so what is left
// is the rounding of the float16 cache and of float32 sums.
class TinyModel : public ::testing::TestWithParam<const char*> {};

TEST_P(TinyModel, AgreesWithTransformers) {
  const std::string raw = read_file(kData + GetParam() + ".f32");
  std::vector<float> want(raw.size() / sizeof(float));
  std::memcpy(want.data(), raw.data(), raw.size());
  const auto ids = test_ids();
  const auto model = load(GetParam(), 2);
  ASSERT_NE(model, nullptr);
  const auto vocabulary = static_cast<std::size_t>(model->info().vocabulary);
  const std::vector<float> got = logits_of(*model, ids);
  ASSERT_EQ(got.size(), want.size());
  ASSERT_EQ(got.size(), ids.size() * vocabulary);
  EXPECT_LT(worst_relative_error(got, want, vocabulary), 1e-2);
}

TEST_P(TinyModel, GivesTheSameBitsForAnyNumberOfThreads) {
  const auto ids = test_ids();
  const std::vector<float> one = logits_of(*load(GetParam(), 1), ids);
  for (const int threads : {2, 3, 7})
    EXPECT_EQ(one, logits_of(*load(GetParam(), threads), ids)) << threads << " threads";
}

TEST_P(TinyModel, GivesTheSameAnswerHoweverTheTokensArrive) {
  const auto ids = test_ids();
  const auto model = load(GetParam(), 2);
  const auto whole = Session::create(*model);
  ASSERT_TRUE((*whole)->forward(ids, nullptr));
  const auto pieces = Session::create(*model);
  const std::size_t cuts[] = {0, 1, 2, 7, 64, 139, ids.size()};
  for (std::size_t i = 0; i + 1 < std::size(cuts); ++i)
    ASSERT_TRUE(
        (*pieces)->forward(std::span(ids).subspan(cuts[i], cuts[i + 1] - cuts[i]), nullptr));
  const std::vector<float> a((*whole)->logits().begin(), (*whole)->logits().end());
  const std::vector<float> b((*pieces)->logits().begin(), (*pieces)->logits().end());
  EXPECT_LT(worst_relative_error(b, a, a.size()), 1e-4);
}

TEST_P(TinyModel, GoesOnFromWhereItWasCutBack) {
  const auto ids = test_ids();
  const auto model = load(GetParam(), 2);
  const auto session = Session::create(*model);
  ASSERT_TRUE((*session)->forward(ids, nullptr));
  const std::vector<float> first((*session)->logits().begin(), (*session)->logits().end());
  (*session)->truncate(50);
  EXPECT_EQ((*session)->position(), 50);
  ASSERT_TRUE((*session)->forward(std::span(ids).subspan(50), nullptr));
  const std::vector<float> again((*session)->logits().begin(), (*session)->logits().end());
  EXPECT_LT(worst_relative_error(again, first, first.size()), 1e-4);
}

TEST_P(TinyModel, RunsTheSameOnEveryInstructionSet) {
  const auto ids = test_ids();
  const auto scalar = load(GetParam(), 1, "scalar");
  const auto vocabulary = static_cast<std::size_t>(scalar->info().vocabulary);
  const std::vector<float> want = logits_of(*scalar, ids);
  for (const kernels::IsaInfo& isa : kernels::instruction_sets()) {
    if (!isa.runs_here) {
      std::printf("skipped: %.*s does not run on this CPU\n", static_cast<int>(isa.name.size()),
                  isa.name.data());
      continue;
    }
    const auto model = load(GetParam(), 1, std::string(isa.name));
    EXPECT_EQ(model->info().kernel, isa.name);
    EXPECT_LT(worst_relative_error(logits_of(*model, ids), want, vocabulary), 1e-2) << isa.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Architectures, TinyModel,
                         ::testing::Values("tiny_llama", "tiny_qwen2", "tiny_bitnet"),
                         [](const auto& param) { return std::string(param.param); });

}  // namespace
}  // namespace tophand::engine
