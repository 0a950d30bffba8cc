// Every architecture against transformers: small random models with float32 weights, described in
// tests/reference/data/random_models.json (make_random_models.py there says how). With nothing to
// round but the float16 cache, logits agree closely.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <string>

#include "engine/random_models_for_tests.h"
#include "engine/session.h"

namespace tophand::engine {
namespace {

class RandomModel : public ::testing::TestWithParam<std::size_t> {
 protected:
  RandomModel() : is_(random_models().at(GetParam())) {
    std::string pattern = ::testing::TempDir() + "random_XXXXXX";
    ::close(::mkstemp(pattern.data()));
    path_ = pattern;
    std::ofstream(path_, std::ios::binary) << file_of(is_);
    ids_ = is_.at("ids").get<std::vector<text::TokenId>>();
  }
  ~RandomModel() override { std::remove(path_.c_str()); }

  std::unique_ptr<Model> load(int threads, const std::string& kernel = "") {
    LoadOptions options;
    options.path = path_;
    options.threads = threads;
    options.kernel = kernel;
    auto model = Model::load(options, nullptr);
    EXPECT_TRUE(model) << model.error().message;
    return model ? std::move(*model) : nullptr;
  }

  std::vector<std::vector<float>> logits_of(const Model& model) {
    auto session = Session::create(model);
    std::vector<std::vector<float>> out;
    EXPECT_TRUE((*session)->forward_all(ids_, [&](std::int64_t, std::span<const float> row) {
      out.emplace_back(row.begin(), row.end());
    }));
    return out;
  }

  // Largest over the kept positions of |got - want| / |want|.
  double worst_error(const std::vector<std::vector<float>>& got) {
    double worst = 0.0;
    for (std::size_t i = 0; i < is_.at("positions").size(); ++i) {
      const auto want = is_.at("logits")[i].get<std::vector<double>>();
      const std::vector<float>& row = got.at(is_.at("positions")[i].get<std::size_t>());
      worst = std::max(worst, relative_error(row, want));
    }
    return worst;
  }

  template <class Want>
  static double relative_error(std::span<const float> got, const Want& want) {
    EXPECT_EQ(got.size(), want.size());
    double difference = 0.0, size = 0.0;
    for (std::size_t i = 0; i < want.size(); ++i) {
      difference += std::pow(static_cast<double>(got[i]) - static_cast<double>(want[i]), 2);
      size += std::pow(static_cast<double>(want[i]), 2);
    }
    return std::sqrt(difference / size);
  }

  const Json& is_;
  std::string path_;
  std::vector<text::TokenId> ids_;
};

TEST_P(RandomModel, AgreesWithTransformers) {
  for (const kernels::IsaInfo& isa : kernels::instruction_sets()) {
    if (!isa.runs_here) continue;
    const auto model = load(2, std::string(isa.name));
    ASSERT_NE(model, nullptr);
    const double error = worst_error(logits_of(*model));
    std::printf("%s, %s: %.2e\n", is_.at("name").get<std::string>().c_str(),
                std::string(isa.name).c_str(), error);
    EXPECT_LT(error, 1e-3) << isa.name;
  }
}

TEST_P(RandomModel, GivesTheSameBitsForAnyNumberOfThreads) {
  const auto one = logits_of(*load(1));
  EXPECT_EQ(one, logits_of(*load(3)));
}

TEST_P(RandomModel, GivesTheSameAnswerHoweverTheTokensArrive) {
  const auto model = load(2);
  const auto whole = Session::create(*model);
  ASSERT_TRUE((*whole)->forward(ids_, nullptr));
  const auto pieces = Session::create(*model);
  const std::size_t cuts[] = {0, 1, 2, 7, 55, ids_.size()};
  for (std::size_t i = 0; i + 1 < std::size(cuts); ++i)
    ASSERT_TRUE(
        (*pieces)->forward(std::span(ids_).subspan(cuts[i], cuts[i + 1] - cuts[i]), nullptr));
  EXPECT_LT(relative_error((*pieces)->logits(), (*whole)->logits()), 1e-4);
}

// Wherever a session says it stands after being cut back, going on from there gives what a fresh
// one gives.
TEST_P(RandomModel, GoesOnFromWhereItWasCutBack) {
  const auto model = load(2);
  const auto session = Session::create(*model);
  ASSERT_TRUE((*session)->forward(ids_, nullptr));
  const std::vector<float> first((*session)->logits().begin(), (*session)->logits().end());
  const auto n = static_cast<std::int64_t>(ids_.size());
  for (const std::int64_t cut : {n - 1, std::int64_t{40}, n - 5, n, std::int64_t{40}}) {
    const std::int64_t at = (*session)->truncate(cut);
    EXPECT_LE(at, cut);
    EXPECT_EQ(at, (*session)->position());
    if (at < n) {
      ASSERT_TRUE(
          (*session)->forward(std::span(ids_).subspan(static_cast<std::size_t>(at)), nullptr));
    }
    EXPECT_LT(relative_error((*session)->logits(), first), 1e-4) << "cut at " << cut;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Architectures, RandomModel, ::testing::Range(std::size_t{0}, random_models().size()),
    [](const auto& param) {
      return random_models().at(param.param).at("name").template get<std::string>();
    });

}  // namespace
}  // namespace tophand::engine
