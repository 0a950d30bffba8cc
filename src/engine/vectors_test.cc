// Tiny random models in every ternary encoding, against float64 logits of a numpy reference
// Too large for the repository: TOPHAND_VECTORS names their folder.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "base/json.h"
#include "engine/session.h"

namespace tophand::engine {
namespace {

struct Vector {
  const char* model;
  // Random models amplify the rounding of activations to int8: for these very ones it costs
  // llama.cpp a relative error of 0.018 (Q2_0), 0.020 (Q1_0) and 0.028 (TQ) in qwen3, 0.12 and
  // 0.063 in qwen35.
  double tolerance;
};

const Vector kVectors[] = {
    {"tiny3-q2_64", 0.025},   {"tiny3-q1", 0.020},       {"tiny3-tq1", 0.028},
    {"tiny3-tq2", 0.028},     {"tiny3-pq2", 0.018},      {"tiny3-ptq1", 0.018},
    {"tiny35-pq2", 0.12},     {"tiny35-ptq1", 0.12},     {"tiny35-q1", 0.063},
    {"tiny35-pq2-had", 0.12}, {"tiny35-ptq1-had", 0.12},
};

class Vectors : public ::testing::TestWithParam<Vector> {};

TEST_P(Vectors, AgreesWithTheReference) {
  const char* folder = std::getenv("TOPHAND_VECTORS");
  if (folder == nullptr) GTEST_SKIP() << "TOPHAND_VECTORS names no folder";
  const std::string name = GetParam().model + std::string(".gguf");
  std::ifstream file(folder + std::string("/expected_logits.json"));
  const auto json = parse_json(std::string{std::istreambuf_iterator<char>(file), {}});
  ASSERT_TRUE(json) << json.error().message;
  const auto ids = json->at("tokens").get<std::vector<text::TokenId>>();
  const Json& want = json->at("models").at(name);
  const auto first16 = want.at("first16").get<std::vector<std::vector<double>>>();
  const auto sums = want.at("sum").get<std::vector<double>>();
  LoadOptions options;
  options.path = std::string(folder) + "/" + name;
  options.threads = 2;
  const auto model = Model::load(options, nullptr);
  ASSERT_TRUE(model) << model.error().message;
  const auto session = Session::create(**model);
  ASSERT_TRUE(session);
  double difference = 0.0, size = 0.0, difference_of_sums = 0.0, size_of_sums = 0.0;
  const auto done =
      (*session)->forward_all(ids, [&](std::int64_t index, std::span<const float> logits) {
        const auto i = static_cast<std::size_t>(index);
        for (std::size_t j = 0; j < 16; ++j) {
          difference += std::pow(static_cast<double>(logits[j]) - first16[i][j], 2);
          size += std::pow(first16[i][j], 2);
        }
        double sum = 0.0;
        for (const float logit : logits) sum += static_cast<double>(logit);
        difference_of_sums += std::pow(sum - sums[i], 2);
        size_of_sums += std::pow(sums[i], 2);
      });
  ASSERT_TRUE(done);
  const double error = std::sqrt(difference / size);
  RecordProperty("relative_error", std::to_string(error));
  std::printf("%s: relative error %.4f, of sums %.4f\n", GetParam().model, error,
              std::sqrt(difference_of_sums / size_of_sums));
  EXPECT_LT(error, GetParam().tolerance);
}

INSTANTIATE_TEST_SUITE_P(Table, Vectors, ::testing::ValuesIn(kVectors), [](const auto& param) {
  std::string name = param.param.model;
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
});

}  // namespace
}  // namespace tophand::engine
