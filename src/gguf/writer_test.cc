// What Writer makes, read back by File, and byte for byte against the test's own encoder.
#include "gguf/writer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "gguf/file.h"
#include "gguf/writer_for_tests.h"

namespace tophand::gguf {
namespace {

using kernels::Encoding;

class GgufWriter : public ::testing::Test {
 protected:
  GgufWriter() {
    std::string pattern = ::testing::TempDir() + "gguf_writer_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    path_ = folder_ + "/out.gguf";
  }
  ~GgufWriter() override { std::filesystem::remove_all(folder_); }

  static Header small_header() {
    Header header;
    header.add_string("general.architecture", "llama");
    header.add_u32("llama.block_count", 2);
    header.add_f32("llama.eps", 1e-5f);
    header.add_bool("tokenizer.ggml.add_bos_token", true);
    header.add_strings("tokens", std::vector<std::string>{"a", "", "bcd"});
    header.add_i32s("types", std::vector<std::int32_t>{1, -2, 3});
    EXPECT_TRUE(header.add_tensor("first", Encoding::kF32, {4, 2}));
    EXPECT_TRUE(header.add_tensor("second", Encoding::kF32, {3}));
    return header;
  }
  static std::span<const std::byte> bytes(const std::string& text) {
    return std::as_bytes(std::span(text));
  }
  std::string contents() const {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::string folder_, path_;
};

TEST_F(GgufWriter, WritesTheBytesThatTheFormatCallsFor) {
  const Header header = small_header();
  auto writer = Writer::create(path_, header);
  ASSERT_TRUE(writer) << writer.error().message;
  const std::string first = testing::floats(8), second = testing::floats(3, 10.0f);
  ASSERT_TRUE(writer->write(bytes(first.substr(0, 5))));  // pieces of any size
  ASSERT_TRUE(writer->write(bytes(first.substr(5))));
  ASSERT_TRUE(writer->write(bytes(second)));
  ASSERT_TRUE(writer->finish());

  testing::FileSpec spec;
  spec.metadata = {testing::entry_string("general.architecture", "llama"),
                   testing::entry_u32("llama.block_count", 2),
                   testing::entry_f32("llama.eps", 1e-5f),
                   testing::entry("tokenizer.ggml.add_bos_token", 7, std::string("\1", 1)),
                   testing::entry_strings("tokens", {"a", "", "bcd"}),
                   testing::entry_i32s("types", {1, -2, 3})};
  spec.tensors = {{"first", {4, 2}, 0, first}, {"second", {3}, 0, second}};
  // Only tensors that another one follows are padded there.
  const std::string expected = testing::write(spec) + std::string(20, '\0');
  EXPECT_EQ(contents(), expected);
  EXPECT_EQ(header.file_bytes(), expected.size());
  const auto file = File::open(path_);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->find_tensor("second")->cols(), 3u);
}

TEST_F(GgufWriter, CopiesValuesAsTheyLieInAnotherFile) {
  testing::FileSpec spec;
  spec.metadata = {testing::entry_string("name", "x"),
                   testing::entry_strings("tokens", {"a", ""}),
                   testing::entry_i32s("types", {1, -2}),
                   testing::entry_f32("eps", 0.5f),
                   testing::entry("flag", 7, std::string("\1", 1)),
                   testing::entry("wide", 11, testing::Bytes().put<std::int64_t>(-5).data())};
  const std::string image = testing::write(spec);
  const auto file = File::parse(bytes(image));
  ASSERT_TRUE(file) << file.error().message;
  Header header;
  for (const File::Entry& entry : file->metadata()) header.add_value(entry.key, entry.value);
  auto writer = Writer::create(path_, header);
  ASSERT_TRUE(writer);
  ASSERT_TRUE(writer->sync());
  ASSERT_TRUE(writer->finish());
  EXPECT_EQ(contents(), image);
}

TEST_F(GgufWriter, RefusesAFileThatIsThere) {
  std::ofstream(path_) << "mine";
  const auto writer = Writer::create(path_, small_header());
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().code, Code::kConflict);
  EXPECT_EQ(contents(), "mine");
}

TEST_F(GgufWriter, SaysThatTheFolderIsMissing) {
  const auto writer = Writer::create(folder_ + "/none/out.gguf", small_header());
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().code, Code::kNotFound);
}

TEST_F(GgufWriter, RefusesDataThatTheHeaderDoesNotKnow) {
  auto writer = Writer::create(path_, small_header());
  ASSERT_TRUE(writer);
  EXPECT_FALSE(writer->write(bytes(testing::floats(9))));
  ASSERT_TRUE(writer->write(bytes(testing::floats(8))));
  EXPECT_FALSE(writer->finish());  // "second" is missing
}

TEST_F(GgufWriter, RefusesShapesThatTheEncodingCannotHold) {
  Header header;
  EXPECT_FALSE(header.add_tensor("odd", Encoding::kQ4_K, {100, 2}));
  EXPECT_FALSE(header.add_tensor("huge", Encoding::kF32, {1ull << 40, 1ull << 40}));
  EXPECT_FALSE(header.add_tensor("none", Encoding::kF32, {}));
  EXPECT_EQ(header.tensor_count(), 0u);
}

}  // namespace
}  // namespace tophand::gguf
