// Random models: that their weights are what they should be in every encoding, that the file is the
// one the shape calls for, and that the engine runs it with finite results.
#include "engine/benchmark/random_model.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <vector>

#include "engine/benchmark/random_weights.h"
#include "engine/session.h"
#include "gguf/file.h"

namespace tophand::engine {
namespace {

using kernels::Encoding;

constexpr std::uint64_t kSeed = 11;

class RandomModelFile : public ::testing::Test {
 protected:
  RandomModelFile() {
    std::string pattern = ::testing::TempDir() + "random_model_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    path_ = folder_ + "/model.gguf";
  }
  ~RandomModelFile() override { std::filesystem::remove_all(folder_); }

  // The named shape, made small enough for a test; every structure stays.
  static ModelShape small(std::string_view name) {
    ModelShape shape = find_model_shape(name).value();
    shape.width = 256;
    shape.layers = 8;
    shape.ffn_width = 512;
    shape.heads = 4;
    shape.kv_heads = 2;
    shape.head_size = 64;
    shape.vocabulary = 1'000;
    shape.context = 64;
    return shape;
  }
  std::string contents() const {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::string folder_, path_;
};

TEST_F(RandomModelFile, HasWeightsOfMeanZeroAndTheRightSizeInEveryEncoding) {
  constexpr std::uint64_t kRows = 128, kCols = 512;
  for (std::size_t e = 0; e < kernels::kEncodingCount; ++e) {
    const auto encoding = static_cast<Encoding>(e);
    SCOPED_TRACE(kernels::encoding_info(encoding).name);
    std::filesystem::remove(path_);
    gguf::Header header;
    ASSERT_TRUE(header.add_tensor("w", encoding, {kCols, kRows}));
    auto writer = gguf::Writer::create(path_, header);
    ASSERT_TRUE(writer);
    SplitMix64 random(kSeed);
    ASSERT_TRUE(write_random_tensor(*writer, encoding, kRows, kCols, random));
    ASSERT_TRUE(writer->finish());
    const auto file = gguf::File::open(path_);
    ASSERT_TRUE(file) << file.error().message;
    double sum = 0.0, squares = 0.0;
    std::vector<float> row(kCols);
    for (std::uint64_t r = 0; r < kRows; ++r) {
      kernels::dequantize_row(encoding, file->tensors()[0].data.data(), kRows, kCols, r,
                              row.data());
      for (const float w : row) {
        sum += static_cast<double>(w);
        squares += static_cast<double>(w) * static_cast<double>(w);
      }
    }
    const double n = kRows * kCols, deviation = 1.0 / std::sqrt(512.0);
    // Q4_0's and Q5_0's codes run from -8 to 7: half a code off the middle.
    EXPECT_NEAR(sum / n, 0.0, 0.15 * deviation);
    EXPECT_NEAR(std::sqrt(squares / n), deviation, 0.08 * deviation);
  }
}

TEST_F(RandomModelFile, UsesOnlyTheThreeCodesOfTernaryEncodings) {
  for (const Encoding encoding :
       {Encoding::kTQ2_0, Encoding::kQ2_0, Encoding::kPQ2_0, Encoding::kTQ1_0, Encoding::kPTQ1_0}) {
    const kernels::EncodingInfo& info = kernels::encoding_info(encoding);
    SplitMix64 random(kSeed);
    std::vector<std::byte> block(info.block_bytes);
    std::set<float> values;
    std::vector<float> row(info.block_weights);
    for (int i = 0; i < 50; ++i) {
      fill_random_block(encoding, 0.5f, random, block.data());
      kernels::dequantize_row(encoding, block.data(), 1, info.block_weights, 0, row.data());
      values.insert(row.begin(), row.end());
    }
    ASSERT_EQ(values.size(), 3u) << info.name;
    EXPECT_EQ(*values.begin(), -*values.rbegin()) << info.name;
    EXPECT_TRUE(values.contains(0.0f)) << info.name;
  }
}

TEST_F(RandomModelFile, RunsEveryShapeWithFiniteLogitsThatDifferFromTokenToToken) {
  for (const ModelShape& full : model_shapes()) {
    SCOPED_TRACE(full.name);
    std::filesystem::remove(path_);
    const ModelShape shape = small(full.name);
    const auto written = write_random_model(path_, shape, kSeed, nullptr);
    ASSERT_TRUE(written) << written.error().message;
    EXPECT_EQ(std::filesystem::file_size(path_), random_model_bytes(shape).value());
    LoadOptions options;
    options.path = path_;
    options.threads = 2;
    const auto model = Model::load(options, nullptr);
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_EQ((*model)->info().architecture, full.architecture);
    EXPECT_EQ((*model)->info().vocabulary, 1'000);
    const auto session = Session::create(**model);
    ASSERT_TRUE(session);
    const std::vector<text::TokenId> tokens = {1, 500, 999};
    std::vector<std::vector<float>> rows;
    ASSERT_TRUE((*session)->forward_all(tokens, [&](std::int64_t, std::span<const float> row) {
      rows.emplace_back(row.begin(), row.end());
    }));
    for (const auto& row : rows)
      for (const float logit : row) ASSERT_TRUE(std::isfinite(logit));
    EXPECT_NE(rows[0], rows[1]);
    EXPECT_NE(rows[1], rows[2]);
  }
}

TEST_F(RandomModelFile, IsTheSameForTheSameSeedOnly) {
  const ModelShape shape = small("qwen2.5-coder-0.5b");
  ASSERT_TRUE(write_random_model(path_, shape, 1, nullptr));
  const std::string first = contents();
  std::filesystem::remove(path_);
  ASSERT_TRUE(write_random_model(path_, shape, 1, nullptr));
  EXPECT_TRUE(contents() == first);
  std::filesystem::remove(path_);
  ASSERT_TRUE(write_random_model(path_, shape, 2, nullptr));
  EXPECT_FALSE(contents() == first);
}

TEST_F(RandomModelFile, IsRemovedWhenItsMakingIsStopped) {
  const auto done = write_random_model(path_, small("bitnet-2b"), kSeed,
                                       [](double share) { return share < 0.5; });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kCancelled);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

// Bytes of all tensors of the published files; BitNet's from its shape: 2,084,044,800 ternary
// weights at 2 bits and 128,256 x 2,560 in Q6_K. The file has a vocabulary besides.
TEST_F(RandomModelFile, WeighsWhatThePublishedModelDoes) {
  struct Case {
    std::string_view name;
    double bytes;
  };
  for (const Case& c :
       {Case{"qwen2.5-coder-1.5b", 1'111'370'240}, Case{"qwen2.5-coder-0.5b", 485'452'288},
        // 210 ternary matrices of 2B4T at 2 bits (521 MB), the head in Q6_K.
        Case{"bitnet-2b", 521.1e6 + 269.3e6},
        // 2.18 GB as published, 8.19 billion weights at 2.125 bits.
        Case{"bonsai-8b", 8.19e9 * 2.125 / 8}}) {
    const auto bytes = random_model_bytes(find_model_shape(c.name).value());
    ASSERT_TRUE(bytes);
    EXPECT_NEAR(static_cast<double>(*bytes), c.bytes, 0.01 * c.bytes) << c.name;
  }
}

TEST(ModelShape, NamesWhatThereIs) {
  const auto none = find_model_shape("bitnet-3b");
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("bitnet-2b"), std::string::npos);
}

TEST(ModelShape, TakesOtherEncodingsWhereTheyFit) {
  const ModelShape bitnet = find_model_shape("bitnet-2b").value();
  const auto other = with_encodings(bitnet, "TQ2_0", "F16");
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_EQ(other->mix.down_more, Encoding::kTQ2_0);
  EXPECT_EQ(other->mix.head, Encoding::kF16);
  EXPECT_EQ(other->mix.embedding, Encoding::kF16);  // tied
  EXPECT_FALSE(with_encodings(bitnet, "Q9_Z", ""));
  const auto odd = with_encodings(find_model_shape("qwen2.5-coder-0.5b").value(), "Q4_K", "");
  ASSERT_FALSE(odd);  // rows of 896
  EXPECT_NE(odd.error().message.find("896"), std::string::npos);
}

TEST(ModelShape, GivesMoreBitsToTheLayersThatLlamaCppDoes) {
  // Counted in the headers of the published files: 14 of 28 and 12 of 24 layers.
  const auto count = [](std::uint32_t layers) {
    int n = 0;
    for (std::uint32_t i = 0; i < layers; ++i) n += gets_more_bits(i, layers) ? 1 : 0;
    return n;
  };
  EXPECT_EQ(count(28), 14);
  EXPECT_EQ(count(24), 12);
}

}  // namespace
}  // namespace tophand::engine
