// A file's matrices may be in any mix of encodings, those of one step too: their kernels want their
// activations in different forms, and their work in different parts.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/session.h"
#include "gguf/file.h"
#include "gguf/writer.h"
#include "kernels/encode.h"

namespace tophand::engine {
namespace {

using kernels::Encoding;

const std::string kTernaryModel =
    std::string(TOPHAND_SOURCE_DIR) + "/tests/reference/data/tiny_bitnet.gguf";

constexpr std::string_view kDamagedTensor = "blk.0.attn_v.weight";

std::vector<std::byte> encoded(const gguf::Tensor& tensor, Encoding to) {
  const std::uint64_t cols = tensor.cols();
  const std::size_t size = kernels::row_bytes(to, cols);
  std::vector<float> row(cols);
  std::vector<std::byte> out(kernels::tensor_bytes(to, tensor.rows(), cols));
  for (std::uint64_t r = 0; r < tensor.rows(); ++r) {
    kernels::dequantize_row(tensor.encoding, tensor.data.data(), tensor.rows(), cols, r,
                            row.data());
    kernels::encode_row(to, row.data(), cols, 1.0f, out.data() + r * size);
  }
  return out;
}

class MixedEncodings : public ::testing::TestWithParam<Encoding> {
 protected:
  MixedEncodings() {
    std::string pattern = ::testing::TempDir() + "mixed_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~MixedEncodings() override { std::filesystem::remove_all(folder_); }

  // The ternary model with matrices that are read together with others in an encoding of their own.
  // `damage`: done to the bytes of one of those.
  void write(Encoding encoding,
             const std::function<void(std::vector<std::byte>&)>& damage = nullptr) {
    const auto file = gguf::File::open(kTernaryModel);
    ASSERT_TRUE(file) << file.error().message;
    const auto encoding_of = [&](const gguf::Tensor& tensor) {
      const bool changed =
          tensor.name.ends_with("ffn_up.weight") || tensor.name.ends_with("attn_v.weight");
      return changed ? encoding : tensor.encoding;
    };
    gguf::Header header;
    for (const gguf::File::Entry& entry : file->metadata())
      if (entry.key != "general.alignment") header.add_value(entry.key, entry.value);
    for (const gguf::Tensor& tensor : file->tensors())
      ASSERT_TRUE(header.add_tensor(tensor.name, encoding_of(tensor),
                                    std::span(tensor.dims.data(), tensor.n_dims)));
    std::filesystem::remove(path());
    auto writer = gguf::Writer::create(path(), header);
    ASSERT_TRUE(writer) << writer.error().message;
    for (const gguf::Tensor& tensor : file->tensors()) {
      if (encoding_of(tensor) == tensor.encoding) ASSERT_TRUE(writer->write(tensor.data));
      else {
        std::vector<std::byte> bytes = encoded(tensor, encoding);
        if (damage && tensor.name == kDamagedTensor) damage(bytes);
        ASSERT_TRUE(writer->write(bytes));
      }
    }
    ASSERT_TRUE(writer->finish());
  }

  // Those of the last of so many tokens.
  std::vector<float> logits(std::size_t tokens, const std::string& kernel, int threads) {
    LoadOptions options;
    options.path = path();
    options.kernel = kernel;
    options.threads = threads;
    const auto model = Model::load(options, nullptr);
    EXPECT_TRUE(model) << model.error().message;
    if (!model) return {};
    std::vector<text::TokenId> ids;
    for (std::size_t i = 0; i < tokens; ++i) ids.push_back(static_cast<text::TokenId>(7 * i % 250));
    const auto session = Session::create(**model);
    EXPECT_TRUE((*session)->forward(ids, nullptr));
    return {(*session)->logits().begin(), (*session)->logits().end()};
  }

  std::string path() const { return folder_ + "/mixed.gguf"; }

 private:
  std::string folder_;
};

// Numbers of tokens that leave few, and not so few, over of any number that is taken at once.
TEST_P(MixedEncodings, RunTheSameOnEveryInstructionSetForAnyNumberOfTokens) {
  write(GetParam());
  for (const std::size_t tokens : {5u, 20u, 100u}) {
    SCOPED_TRACE(tokens);
    const std::vector<float> want = logits(tokens, "scalar", 1);
    for (const kernels::IsaInfo& isa : kernels::instruction_sets()) {
      if (!isa.runs_here) continue;
      for (const int threads : {1, 3}) {
        const std::vector<float> got = logits(tokens, std::string(isa.name), threads);
        ASSERT_EQ(got.size(), want.size());
        double difference = 0.0, size = 0.0;
        for (std::size_t i = 0; i < want.size(); ++i) {
          difference += std::pow(static_cast<double>(got[i]) - static_cast<double>(want[i]), 2);
          size += std::pow(static_cast<double>(want[i]), 2);
        }
        EXPECT_LT(std::sqrt(difference / size), 1e-2) << isa.name << ", " << threads << " threads";
      }
    }
  }
}

// The scale of one block in the middle, which all encodings here have at its beginning.
TEST_P(MixedEncodings, OneScaleThatIsNoNumberIsRefused) {
  const std::size_t block = kernels::encoding_info(GetParam()).block_bytes;
  for (const unsigned high : {0x7cu, 0xfcu, 0x7eu}) {
    write(GetParam(), [&](std::vector<std::byte>& bytes) {
      const std::size_t at = bytes.size() / block / 2 * block;
      bytes[at] = std::byte{0x80};
      bytes[at + 1] = static_cast<std::byte>(high);
      if (GetParam() == Encoding::kF32) {
        bytes[at + 2] = std::byte{0x80};
        bytes[at + 3] = std::byte{0x7f};
      }
    });
    LoadOptions options;
    options.path = path();
    options.threads = 2;
    const auto model = Model::load(options, nullptr);
    ASSERT_FALSE(model) << high;
    EXPECT_NE(model.error().message.find("'blk.0.attn_v.weight' has weights that are no numbers"),
              std::string::npos)
        << model.error().message;
  }
}

INSTANTIATE_TEST_SUITE_P(With, MixedEncodings,
                         ::testing::Values(Encoding::kQ1_0, Encoding::kQ2_0, Encoding::kQ8_0,
                                           Encoding::kF32),
                         [](const auto& param) {
                           return std::string(kernels::encoding_info(param.param).name);
                         });

}  // namespace
}  // namespace tophand::engine
