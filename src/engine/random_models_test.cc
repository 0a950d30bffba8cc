// Every architecture against transformers: small random models with float32 weights, described in
// tests/reference/data/random_models.json (make_random_models.py there says how). With nothing to
// round but the float16 cache, logits agree closely.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include "base/json.h"
#include "engine/random_models_for_tests.h"
#include "engine/session.h"
#include "gguf/writer_for_tests.h"

namespace tophand::engine {
namespace {

using namespace gguf::testing;

// The rule of make_random_models.py: splitmix64 of a counter, 24 bits of it.
std::string random_tensor(std::uint64_t n, std::uint64_t seed, double centre, double spread) {
  Bytes out;
  for (std::uint64_t i = 0; i < n; ++i) {
    std::uint64_t z = seed * 0x9E3779B97F4A7C15u + i;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    const double u = static_cast<double>(z >> 40) * 0x1p-23 - 1.0;
    out.put(static_cast<float>(centre + spread * u));
  }
  return out.data();
}

TensorSpec tensor_of(const Json& row) {
  TensorSpec out{row[0].get<std::string>(), row[1].get<std::vector<std::uint64_t>>(), 0, {}};
  std::uint64_t n = 1;
  for (const std::uint64_t dim : out.dims) n *= dim;
  if (row.size() == 5) {
    out.data =
        random_tensor(n, row[2].get<std::uint64_t>(), row[3].get<double>(), row[4].get<double>());
  } else {
    Bytes given;
    for (const double value : row[2].get<std::vector<double>>())
      given.put(static_cast<float>(value));
    out.data = given.data();
  }
  return out;
}

std::string entry_of(const std::string& key, const Json& value) {
  if (value.is_string()) return entry_string(key, value.get<std::string>());
  if (value.is_boolean()) return entry(key, 7, Bytes().put(value.get<bool>()).data());
  if (value.is_number_integer()) return entry_u32(key, value.get<std::uint32_t>());
  if (value.is_number()) return entry_f32(key, value.get<float>());
  if (value.at(0).is_boolean()) {
    Bytes out;
    out.put<std::uint32_t>(7).put<std::uint64_t>(value.size());
    for (const Json& item : value) out.put(item.get<bool>());
    return entry(key, 9, out.data());
  }
  if (value.at(0).is_string()) return entry_strings(key, value.get<std::vector<std::string>>());
  return entry_i32s(key, value.get<std::vector<std::int32_t>>());
}

}  // namespace

const Json& random_models() {
  static const Json all = [] {
    std::ifstream file(std::string(TOPHAND_SOURCE_DIR) +
                       "/tests/reference/data/random_models.json");
    return std::move(*parse_json(std::string{std::istreambuf_iterator<char>(file), {}}));
  }();
  return all;
}

std::string file_of(const Json& description) {
  FileSpec spec;
  for (const auto& [key, value] : description.at("metadata").items())
    spec.metadata.push_back(entry_of(key, value));
  for (const Json& row : description.at("tensors")) spec.tensors.push_back(tensor_of(row));
  return write(spec);
}

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

// Five sequences, each somewhere else in the text, take steps together; each gets what it gets
// alone.
TEST_P(RandomModel, GivesEachOfSeveralSequencesWhatItGetsAlone) {
  const auto model = load(2);
  constexpr std::size_t kSequences = 5, kSteps = 3;
  std::vector<std::unique_ptr<Session>> alone, together;
  std::vector<Session*> all;
  for (std::size_t i = 0; i < kSequences; ++i) {
    for (auto* list : {&alone, &together}) {
      list->push_back(std::move(*Session::create(*model)));
      ASSERT_TRUE(list->back()->forward(std::span(ids_).first(1 + 9 * i), nullptr));
    }
    all.push_back(together[i].get());
  }
  for (std::size_t step = 1; step <= kSteps; ++step) {
    std::vector<text::TokenId> tokens;
    for (std::size_t i = 0; i < kSequences; ++i) {
      tokens.push_back(ids_[9 * i + step]);
      ASSERT_TRUE(alone[i]->forward({&tokens.back(), 1}, nullptr));
    }
    ASSERT_TRUE(Session::forward_together(all, tokens));
    for (std::size_t i = 0; i < kSequences; ++i) {
      EXPECT_EQ(together[i]->position(), alone[i]->position());
      EXPECT_LT(relative_error(together[i]->logits(), alone[i]->logits()), 1e-4)
          << "sequence " << i << ", step " << step;
    }
  }
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
