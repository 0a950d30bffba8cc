#include "engine/quantize.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "engine/model.h"
#include "engine/session.h"
#include "gguf/writer.h"
#include "kernels/encode.h"

namespace tophand::engine {
namespace {

using kernels::Encoding;

constexpr std::uint32_t kSeed = 17;
const std::string kData = std::string(TOPHAND_SOURCE_DIR) + "/tests/reference/data/";
constexpr Encoding kTernary[] = {Encoding::kI2_S, Encoding::kTQ1_0, Encoding::kTQ2_0,
                                 Encoding::kQ2_0, Encoding::kPQ2_0, Encoding::kPTQ1_0};

std::string name_of(Encoding encoding) {
  return std::string(kernels::encoding_info(encoding).name);
}

struct Matrix {
  std::string name;
  Encoding encoding = Encoding::kF32;
  std::uint64_t rows = 1, cols = 1;
  std::vector<float> weights;
};

class Quantize : public ::testing::Test {
 protected:
  Quantize() {
    std::string pattern = ::testing::TempDir() + "quantize_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~Quantize() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name + ".gguf"; }

  // Weights of a normal distribution.
  Matrix normal(const std::string& name, std::uint64_t rows, std::uint64_t cols,
                Encoding encoding = Encoding::kF32) {
    std::normal_distribution<float> spread(0.0f, 0.05f);
    Matrix out{name, encoding, rows, cols, std::vector<float>(rows * cols)};
    for (float& w : out.weights) w = spread(rng_);
    return out;
  }

  // -scale, 0 and +scale.
  Matrix ternary(const std::string& name, Encoding encoding, float scale = 0.40625f) {
    Matrix out{name, encoding, 24, 512, std::vector<float>(24 * 512)};
    for (float& w : out.weights) w = scale * (static_cast<float>(rng_() % 3) - 1.0f);
    return out;
  }

  void write(const std::string& name, const std::vector<Matrix>& matrices) {
    gguf::Header header;
    header.add_string("general.architecture", "llama");
    header.add_u32("general.file_type", 1);
    header.add_strings("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b"});
    for (const Matrix& m : matrices) {
      const std::vector<std::uint64_t> dims =
          m.rows == 1 ? std::vector{m.cols} : std::vector{m.cols, m.rows};
      ASSERT_TRUE(header.add_tensor(m.name, m.encoding, dims));
    }
    auto writer = gguf::Writer::create(path(name), header);
    ASSERT_TRUE(writer) << writer.error().message;
    for (const Matrix& m : matrices) {
      kernels::I2sScale scale;
      scale.add(m.weights.data(), m.weights.size());
      std::vector<std::byte> bytes(kernels::tensor_bytes(m.encoding, m.rows, m.cols));
      const std::size_t size = kernels::row_bytes(m.encoding, m.cols);
      for (std::uint64_t r = 0; r < m.rows; ++r)
        kernels::encode_row(m.encoding, m.weights.data() + r * m.cols, m.cols, scale.value(),
                            bytes.data() + r * size);
      kernels::encode_tail(m.encoding, scale.value(), bytes.data() + m.rows * size);
      ASSERT_TRUE(writer->write(bytes));
    }
    ASSERT_TRUE(writer->finish());
  }

  Result<QuantizeReport> quantize(const std::string& in, const std::string& out,
                                  const QuantizeTypes& types, const QuantizeLimits& limits = {}) {
    return quantize_file(
        {.in = path(in), .out = path(out), .types = types, .limits = limits, .threads = threads_},
        nullptr);
  }

  gguf::File open(const std::string& name) const {
    auto file = gguf::File::open(path(name));
    EXPECT_TRUE(file) << file.error().message;
    return std::move(*file);
  }

  static std::vector<float> weights_of(const gguf::File& file, const std::string& name) {
    const gguf::Tensor* tensor = file.find_tensor(name);
    if (tensor == nullptr) return {};
    std::vector<float> out(tensor->rows() * tensor->cols());
    for (std::uint64_t r = 0; r < tensor->rows(); ++r)
      kernels::dequantize_row(tensor->encoding, tensor->data.data(), tensor->rows(), tensor->cols(),
                              r, out.data() + r * tensor->cols());
    return out;
  }

  std::string bytes_of(const std::string& name) const {
    std::ifstream in(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::mt19937 rng_{kSeed};
  std::string folder_;
  int threads_ = 2;
};

TEST_F(Quantize, ChangesMatricesAndNothingElse) {
  write("in", {normal("token_embd.weight", 40, 256), normal("blk.0.attn_norm.weight", 1, 256),
               normal("blk.0.attn_q.weight", 32, 256), normal("blk.0.attn_q.bias", 1, 32),
               normal("blk.1.attn_q.weight", 32, 256), normal("blk.0.ssm_alpha.weight", 8, 256),
               normal("output.weight", 40, 256)});
  const auto report = quantize("in", "out", {.layers = Encoding::kQ4_K});
  ASSERT_TRUE(report) << report.error().message;
  const gguf::File before = open("in"), after = open("out");
  const std::pair<const char*, Encoding> expected[] = {
      {"token_embd.weight", Encoding::kQ4_K},   {"blk.0.attn_norm.weight", Encoding::kF32},
      {"blk.0.attn_q.weight", Encoding::kQ4_K}, {"blk.0.attn_q.bias", Encoding::kF32},
      {"blk.1.attn_q.weight", Encoding::kQ4_K}, {"blk.0.ssm_alpha.weight", Encoding::kF32},
      {"output.weight", Encoding::kQ6_K},
  };
  ASSERT_EQ(after.tensors().size(), std::size(expected));
  for (std::size_t i = 0; i < std::size(expected); ++i) {
    const gguf::Tensor& tensor = after.tensors()[i];
    EXPECT_EQ(tensor.name, expected[i].first);
    EXPECT_EQ(tensor.encoding, expected[i].second) << tensor.name;
    EXPECT_EQ(tensor.dims, before.tensors()[i].dims);
    if (tensor.encoding == Encoding::kF32) {
      EXPECT_EQ(weights_of(after, expected[i].first), weights_of(before, expected[i].first));
    }
  }
  EXPECT_EQ(after.string("general.architecture").value(), "llama");
  EXPECT_EQ(after.strings("tokenizer.ggml.tokens").value().size(), 2u);
  EXPECT_EQ(after.integer("general.file_type", 0, 999).value(), 14);
  EXPECT_EQ(after.integer("general.quantization_version", 0, 9).value(), 2);

  EXPECT_EQ(report->bytes_before, before.size_bytes());
  EXPECT_EQ(report->bytes_after, after.size_bytes());
  EXPECT_EQ(report->tensors_kept, 3u);
  ASSERT_EQ(report->changed.size(), 3u);
  EXPECT_EQ(report->changed[1].name, "attn_q");
  EXPECT_EQ(report->changed[1].tensors, 2u);
  EXPECT_NEAR(report->changed[1].relative_rms_error(), 0.07, 0.01);
  EXPECT_NEAR(report->changed[2].relative_rms_error(), 0.018, 0.005);
}

TEST_F(Quantize, EmbeddingAloneLeavesLayersAndFileType) {
  write("in", {normal("token_embd.weight", 40, 256, Encoding::kF16),
               ternary("blk.0.ffn_up.weight", Encoding::kI2_S)});
  const auto report = quantize("in", "out", {.embedding = Encoding::kQ6_K});
  ASSERT_TRUE(report) << report.error().message;
  const gguf::File before = open("in"), after = open("out");
  EXPECT_EQ(after.find_tensor("token_embd.weight")->encoding, Encoding::kQ6_K);
  const gguf::Tensor* kept = after.find_tensor("blk.0.ffn_up.weight");
  EXPECT_EQ(kept->encoding, Encoding::kI2_S);
  EXPECT_EQ(std::memcmp(kept->data.data(), before.find_tensor("blk.0.ffn_up.weight")->data.data(),
                        kept->data.size()),
            0);
  EXPECT_EQ(after.integer("general.file_type", 0, 999).value(), 1);
}

TEST_F(Quantize, TernaryTypesGoRoundTripsBitForBit) {
  for (const Encoding from : kTernary) {
    write("from", {normal("token_embd.weight", 16, 256, Encoding::kF16),
                   ternary("blk.0.ffn_up.weight", from), ternary("blk.0.ffn_down.weight", from)});
    const auto weights = weights_of(open("from"), "blk.0.ffn_up.weight");
    for (const Encoding to : kTernary) {
      if (to == from) continue;
      SCOPED_TRACE(name_of(from) + " to " + name_of(to));
      const auto there = quantize("from", "there", {.layers = to});
      ASSERT_TRUE(there) << there.error().message;
      EXPECT_EQ(there->changed[0].squared_error, 0.0);
      EXPECT_EQ(weights_of(open("there"), "blk.0.ffn_up.weight"), weights);
      EXPECT_EQ(open("there").find_tensor("token_embd.weight")->encoding, Encoding::kF16);
      ASSERT_TRUE(quantize("there", "back", {.layers = from}));
      const gguf::File first = open("from"), last = open("back");
      for (std::size_t i = 0; i < first.tensors().size(); ++i) {
        const auto a = first.tensors()[i].data, b = last.tensors()[i].data;
        ASSERT_TRUE(std::ranges::equal(a, b)) << first.tensors()[i].name;
      }
      std::filesystem::remove(path("there"));
      std::filesystem::remove(path("back"));
    }
    std::filesystem::remove(path("from"));
  }
}

TEST_F(Quantize, RefusesTernaryWeightsThatTheTypeCannotHoldUnlessLossy) {
  Matrix groups = ternary("blk.0.ffn_up.weight", Encoding::kQ2_0);
  for (std::size_t i = 0; i < groups.weights.size(); ++i)
    groups.weights[i] *= static_cast<float>(1 + i / 64 % 2);
  Matrix code3 = ternary("blk.0.ffn_up.weight", Encoding::kPQ2_0);
  for (std::size_t i = 0; i < code3.weights.size(); i += 7) code3.weights[i] = 2 * 0.40625f;
  Matrix fine = ternary("blk.0.ffn_up.weight", Encoding::kI2_S, 0.1f);  // no float16
  const struct {
    const Matrix& matrix;
    Encoding to;
  } cases[] = {{groups, Encoding::kI2_S}, {groups, Encoding::kTQ2_0}, {groups, Encoding::kPQ2_0},
               {code3, Encoding::kTQ1_0}, {code3, Encoding::kPTQ1_0}, {fine, Encoding::kTQ2_0},
               {fine, Encoding::kQ8_0}};
  for (const auto& [matrix, to] : cases) {
    SCOPED_TRACE(name_of(matrix.encoding) + " to " + name_of(to));
    write("in", {matrix});
    const auto refused = quantize("in", "out", {.layers = to});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kInvalid);
    EXPECT_NE(refused.error().message.find("blk.0.ffn_up.weight"), std::string::npos);
    EXPECT_NE(refused.error().message.find("--lossy"), std::string::npos);
    EXPECT_FALSE(std::filesystem::exists(path("out")));
    ASSERT_TRUE(quantize("in", "out", {.layers = to}, {.lossy = true}));
    std::filesystem::remove(path("in"));
    std::filesystem::remove(path("out"));
  }
}

TEST_F(Quantize, RoundsTwiceOnlyWhenToldTo) {
  write("in", {normal("blk.0.ffn_up.weight", 32, 256, Encoding::kQ4_0)});
  const auto refused = quantize("in", "out", {.layers = Encoding::kQ8_0});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("--requantize"), std::string::npos);
  EXPECT_TRUE(quantize("in", "out", {.layers = Encoding::kQ8_0}, {.requantize = true}));
  const auto exact = quantize("in", "floats", {.layers = Encoding::kF32});
  ASSERT_TRUE(exact) << exact.error().message;
  EXPECT_EQ(exact->changed[0].squared_error, 0.0);
}

TEST_F(Quantize, RowsThatDoNotFitKQuantsGetTheirSmallerKin) {
  write("in", {normal("blk.0.ffn_up.weight", 8, 96)});
  ASSERT_TRUE(quantize("in", "out", {.layers = Encoding::kQ4_K}));
  EXPECT_EQ(open("out").find_tensor("blk.0.ffn_up.weight")->encoding, Encoding::kQ5_0);
  const auto refused = quantize("in", "other", {.layers = Encoding::kTQ2_0});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("rows of 96 weights"), std::string::npos);
}

TEST_F(Quantize, NeverReplacesAFileUnlessToldTo) {
  write("in", {normal("blk.0.ffn_up.weight", 8, 256)});
  std::ofstream(path("out")) << "mine";
  const auto refused = quantize("in", "out", {.layers = Encoding::kQ8_0});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kConflict);
  EXPECT_EQ(bytes_of("out"), "mine");
  const QuantizeOptions forced{
      .in = path("in"), .out = path("out"), .types = {.layers = Encoding::kQ8_0}, .replace = true};
  ASSERT_TRUE(quantize_file(forced, nullptr));
  EXPECT_EQ(open("out").tensors().size(), 1u);
}

TEST_F(Quantize, LeavesNothingBehindWhenStopped) {
  write("in", {normal("blk.0.ffn_up.weight", 8, 256)});
  const QuantizeOptions options{
      .in = path("in"), .out = path("out"), .types = {.layers = Encoding::kQ8_0}};
  const auto stopped = quantize_file(options, [](std::uint64_t, std::uint64_t) { return false; });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Code::kCancelled);
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder_)) ++files;
  EXPECT_EQ(files, 1u);
}

TEST_F(Quantize, RefusesWeightsThatAreNotFinite) {
  Matrix odd = normal("blk.0.ffn_up.weight", 8, 256);
  odd.weights[77] = NAN;
  write("in", {odd});
  const auto refused = quantize("in", "out", {.layers = Encoding::kQ4_K});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("not finite"), std::string::npos);
}

TEST_F(Quantize, SaysWhenThereIsNothingToDo) {
  write("in", {normal("blk.0.ffn_up.weight", 8, 256)});
  EXPECT_FALSE(quantize("in", "out", {.layers = Encoding::kF32}));
  EXPECT_FALSE(quantize("in", "out", {.output = Encoding::kQ8_0}));
}

TEST_F(Quantize, GivesTheSameFileForAnyNumberOfThreads) {
  write("in", {normal("token_embd.weight", 40, 256), normal("blk.0.ffn_up.weight", 37, 512)});
  for (const Encoding to : {Encoding::kQ4_K, Encoding::kI2_S}) {
    threads_ = 1;
    ASSERT_TRUE(quantize("in", "one", {.layers = to}));
    threads_ = 3;
    ASSERT_TRUE(quantize("in", "three", {.layers = to}));
    EXPECT_EQ(bytes_of("one"), bytes_of("three"));
    std::filesystem::remove(path("one"));
    std::filesystem::remove(path("three"));
  }
}

// --force is for files: a device would be gone, /dev/null as well.
TEST_F(Quantize, ReplacesNothingThatIsNoFile) {
  const std::string fifo = path("fifo"), link = path("link"), file = path("file");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  std::filesystem::create_symlink(fifo, link);
  for (const std::string& out : {fifo, link}) {
    for (const bool replace : {false, true}) {
      const auto report =
          quantize_file({.in = kData + "tiny_llama.gguf", .out = out, .replace = replace}, nullptr);
      ASSERT_FALSE(report);
      EXPECT_EQ(report.error().code, Code::kInvalid);
      EXPECT_NE(report.error().message.find("is a device, a pipe or a socket"), std::string::npos)
          << report.error().message;
    }
  }
  EXPECT_TRUE(std::filesystem::is_fifo(fifo));
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  std::filesystem::remove(link);
  std::ofstream(file) << "old";
  std::filesystem::create_symlink(file, link);
  const auto report = quantize_file({.in = kData + "tiny_llama.gguf",
                                     .out = link,
                                     .types = {.layers = Encoding::kQ8_0},
                                     .replace = true},
                                    nullptr);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_FALSE(std::filesystem::is_symlink(link));  // its name was given away
  EXPECT_EQ(std::filesystem::file_size(file), 3u);
}

TEST_F(Quantize, RemovesWhatAKilledProcessLeft) {
  const std::string out = path("out");
  const std::string gone = ".part999999999", running = ".part" + std::to_string(::getppid());
  const auto old = std::filesystem::file_time_type::clock::now() - std::chrono::hours(1);
  for (const std::string& end : {gone, running, gone + "x", std::string(".part")}) {
    std::ofstream(out + end) << "left";
    std::filesystem::last_write_time(out + end, old);
  }
  std::ofstream(out + ".part999999998") << "just written";
  ASSERT_TRUE(quantize_file(
      {.in = kData + "tiny_llama.gguf", .out = out, .types = {.layers = Encoding::kQ8_0}},
      nullptr));
  EXPECT_FALSE(std::filesystem::exists(out + gone));
  for (const std::string& end :
       {running, gone + "x", std::string(".part"), std::string(".part999999998")})
    EXPECT_TRUE(std::filesystem::exists(out + end)) << end;
}

std::vector<float> logits_of(const std::string& path) {
  LoadOptions load;
  load.path = path;
  load.threads = 1;
  const auto model = Model::load(load, nullptr);
  EXPECT_TRUE(model) << model.error().message;
  if (!model) return {};
  const auto session = Session::create(**model);
  EXPECT_TRUE(session) << session.error().message;
  const std::vector<text::TokenId> ids = {1, 17, 5, 80, 3, 44, 9, 2};
  std::vector<float> out;
  EXPECT_TRUE((*session)->forward_all(ids, [&](std::int64_t, std::span<const float> row) {
    out.insert(out.end(), row.begin(), row.end());
  }));
  return out;
}

// The tiny models of tests/reference load again, and their logits are what they were but for the
// rounding (those of two unrelated models differ by about 1.4).
TEST_F(Quantize, WritesFilesThatTheEngineRunsWithNearlyTheSameLogits) {
  const struct {
    const char* name;
    QuantizeTypes types;
    double error_max;
  } cases[] = {{"tiny_llama", {.layers = Encoding::kQ8_0}, 0.05},
               {"tiny_qwen2", {.layers = Encoding::kQ4_K}, 0.3},
               {"tiny_bitnet", {.layers = Encoding::kPQ2_0, .embedding = Encoding::kQ8_0}, 0.1}};
  for (const auto& [name, types, error_max] : cases) {
    SCOPED_TRACE(name);
    // The ternary model's scales are no float16.
    const QuantizeOptions options{.in = kData + name + ".gguf",
                                  .out = path(name),
                                  .types = types,
                                  .limits = {.lossy = true},
                                  .threads = 2};
    const auto report = quantize_file(options, nullptr);
    ASSERT_TRUE(report) << report.error().message;
    const std::vector<float> want = logits_of(options.in), got = logits_of(options.out);
    ASSERT_EQ(got.size(), want.size());
    double difference = 0.0, size = 0.0;
    for (std::size_t i = 0; i < want.size(); ++i) {
      difference += std::pow(static_cast<double>(got[i]) - static_cast<double>(want[i]), 2);
      size += std::pow(static_cast<double>(want[i]), 2);
    }
    EXPECT_LT(std::sqrt(difference / size), error_max);
    EXPECT_GT(difference, 0.0);
  }
}

}  // namespace
}  // namespace tophand::engine
