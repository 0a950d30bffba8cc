#include "engine/embedding.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/random.h"
#include "engine/benchmark/random_weights.h"
#include "gguf/writer.h"
#include "kernels/encoding.h"

namespace tophand::engine {
namespace {

TEST(EmbeddingTable, ReadsRowsAsTheyAreDecodedFromTheWholeTensor) {
  std::string pattern = ::testing::TempDir() + "embedding_XXXXXX";
  const std::string folder = ::mkdtemp(pattern.data());
  constexpr std::uint64_t kCols = 512, kRows = 33, kSeed = 5;
  for (std::size_t e = 0; e < kernels::kEncodingCount; ++e) {
    const auto encoding = static_cast<kernels::Encoding>(e);
    SCOPED_TRACE(kernels::encoding_info(encoding).name);
    const std::string path = folder + "/" + std::to_string(e);
    gguf::Header header;
    ASSERT_TRUE(header.add_tensor("token_embd.weight", encoding, {kCols, kRows}));
    auto writer = gguf::Writer::create(path, header);
    ASSERT_TRUE(writer) << writer.error().message;
    SplitMix64 random(kSeed);
    ASSERT_TRUE(write_random_tensor(*writer, encoding, kRows, kCols, random));
    ASSERT_TRUE(writer->finish());

    const auto file = gguf::File::open(path);
    ASSERT_TRUE(file) << file.error().message;
    const gguf::Tensor* tensor = file->find_tensor("token_embd.weight");
    ASSERT_NE(tensor, nullptr);
    const EmbeddingTable table(*file, *tensor);
    std::vector<std::byte> raw(kCols * sizeof(float));
    std::vector<float> row(kCols), expected(kCols);
    for (const std::uint64_t r : {std::uint64_t{0}, std::uint64_t{7}, kRows - 1}) {
      table.read(r, raw.data(), row.data());
      kernels::dequantize_row(encoding, tensor->data.data(), kRows, kCols, r, expected.data());
      EXPECT_EQ(row, expected) << "row " << r;
    }
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace tophand::engine
