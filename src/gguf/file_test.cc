#include "gguf/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "gguf/writer_for_tests.h"

namespace tophand::gguf {
namespace {

using namespace testing;

constexpr std::uint32_t kTypeF32 = 0;

FileSpec small_file() {
  FileSpec spec;
  spec.metadata = {entry_string("general.architecture", "llama"),
                   entry_u32("llama.block_count", 2),
                   entry_f32("llama.eps", 1e-5f),
                   entry("flag", 7, std::string("\1", 1)),
                   entry("small", 1, std::string("\xfe", 1)),
                   entry("huge", 10, Bytes().put<std::uint64_t>(1ull << 63).data()),
                   entry_strings("tokens", {"a", "", "bcd"}),
                   entry_i32s("types", {1, -2, 3})};
  spec.tensors = {{"first", {4, 2}, kTypeF32, floats(8)},
                  {"second", {3}, kTypeF32, floats(3, 10.0f)}};
  return spec;
}

Result<File> parse(const std::string& bytes) {
  return File::parse(std::as_bytes(std::span(bytes)));
}

TEST(GgufFile, GivesEveryValueAsItWasWritten) {
  const std::string bytes = write(small_file());
  const auto file = parse(bytes);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->version(), 3u);
  EXPECT_EQ(file->alignment(), 32u);
  EXPECT_EQ(file->metadata_count(), 8u);
  EXPECT_EQ(file->string("general.architecture").value(), "llama");
  EXPECT_EQ(file->integer("llama.block_count", 1, 10).value(), 2);
  EXPECT_FLOAT_EQ(static_cast<float>(file->number("llama.eps", 0, 1).value()), 1e-5f);
  EXPECT_EQ(file->find("flag")->boolean(), true);
  EXPECT_EQ(file->find("small")->integer(), -2);
  EXPECT_EQ(file->find("huge")->integer(), std::nullopt);  // does not fit int64
  EXPECT_EQ(file->strings("tokens").value(), (std::vector<std::string_view>{"a", "", "bcd"}));
  EXPECT_EQ(file->integers("types").value(), (std::vector<std::int64_t>{1, -2, 3}));
}

TEST(GgufFile, GivesTensorsTheirShapeAndBytes) {
  const std::string bytes = write(small_file());
  const auto file = parse(bytes);
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(file->tensors().size(), 2u);
  const Tensor* second = file->find_tensor("second");
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->cols(), 3u);
  EXPECT_EQ(second->rows(), 1u);
  ASSERT_EQ(second->data.size(), 12u);
  float values[3];
  std::memcpy(values, second->data.data(), sizeof values);
  EXPECT_EQ(values[2], 12.0f);
  EXPECT_EQ(file->find_tensor("third"), nullptr);
}

TEST(GgufFile, ReadsVersion2AndOtherAlignments) {
  FileSpec spec = small_file();
  spec.version = 2;
  spec.alignment = 128;
  spec.metadata.push_back(entry_u32("general.alignment", 128));
  const std::string bytes = write(spec);
  const auto file = parse(bytes);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->alignment(), 128u);
  EXPECT_EQ(file->find_tensor("second")->data.size(), 12u);
}

TEST(GgufFile, AcceptsGapsAndTrailingBytes) {
  FileSpec spec = small_file();
  spec.after = std::string(100, 'x');
  EXPECT_TRUE(parse(write(spec)));
  spec = small_file();
  spec.tensors[0].data += std::string(64, '\0');
  EXPECT_TRUE(parse(write(spec)));
}

TEST(GgufFile, AcceptsAVocabularyWithoutTensors) {
  FileSpec spec = small_file();
  spec.tensors.clear();
  spec.pad_header = false;
  EXPECT_TRUE(parse(write(spec)));
}

TEST(GgufFile, NamesTheKeyOfAWrongValue) {
  const std::string bytes = write(small_file());
  const auto file = parse(bytes);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->integer("absent", 0, 1).error().message, "metadata absent is missing");
  EXPECT_NE(file->integer("llama.block_count", 3, 9).error().message.find("from 3 to 9, not 2"),
            std::string::npos);
  EXPECT_FALSE(file->integer("general.architecture", 0, 1));
  EXPECT_FALSE(file->number("flag", 0, 1));
  EXPECT_FALSE(file->string("llama.block_count"));
  EXPECT_FALSE(file->strings("types"));
  EXPECT_FALSE(file->integers("tokens"));
  EXPECT_FALSE(file->strings("flag"));
}

struct BadFile {
  const char* name;
  FileSpec (*make)();
  const char* message;  // a part of it
};

FileSpec with_metadata(std::string item) {
  FileSpec spec = small_file();
  spec.metadata.push_back(std::move(item));
  return spec;
}

FileSpec with_tensor(TensorSpec tensor) {
  FileSpec spec = small_file();
  spec.tensors.push_back(std::move(tensor));
  return spec;
}

FileSpec with_offsets(std::vector<std::uint64_t> offsets) {
  FileSpec spec = small_file();
  spec.offsets = std::move(offsets);
  return spec;
}

template <class Edit>
FileSpec edited(Edit edit) {
  FileSpec spec = small_file();
  edit(spec);
  return spec;
}

std::string array_header(std::uint32_t element, std::uint64_t count) {
  return Bytes().put(element).put(count).data();
}

FileSpec bitnet_with_type(std::uint32_t type) {
  FileSpec spec = with_tensor({"t", {128}, type, ""});
  spec.metadata[0] = entry_string("general.architecture", "bitnet-b1.58");
  return spec;
}

// Bytes of n weights in the layouts of type 42 that we run.
constexpr std::size_t k64(std::size_t n) {
  return n / 64 * 18;
}
constexpr std::size_t k128(std::size_t n) {
  return n / 128 * 34;
}

// Tensors w0, w1, ... of type 42, the last of which ends the file.
struct Sized {
  std::vector<std::uint64_t> dims;
  std::size_t bytes;
};
FileSpec with_42(const std::vector<Sized>& tensors) {
  FileSpec spec = small_file();
  for (const Sized& tensor : tensors) {
    const std::string name = "w" + std::to_string(spec.tensors.size() - 2);
    spec.tensors.push_back({name, tensor.dims, 42, std::string(tensor.bytes, '\0')});
  }
  return spec;
}

const BadFile kBadFiles[] = {
    {"Empty",
     [] {
       return edited([](FileSpec& s) {
         s = {};
         s.metadata_count = 1;
       });
     },
     "1 metadata"},
    {"WrongMagic", [] { return edited([](FileSpec& s) { s.magic = 0x46554748; }); }, "start with"},
    {"MagicOfGgml", [] { return edited([](FileSpec& s) { s.magic = 0x67676d6c; }); }, "start with"},
    {"Version0", [] { return edited([](FileSpec& s) { s.version = 0; }); }, "version 0"},
    {"Version1", [] { return edited([](FileSpec& s) { s.version = 1; }); }, "too old"},
    {"Version4", [] { return edited([](FileSpec& s) { s.version = 4; }); }, "version 4"},
    {"BigEndian3", [] { return edited([](FileSpec& s) { s.version = 0x03000000; }); },
     "big-endian"},
    {"BigEndian2", [] { return edited([](FileSpec& s) { s.version = 0x02000000; }); },
     "big-endian"},
    {"TensorCountOverLimit", [] { return edited([](FileSpec& s) { s.tensor_count = 65'537; }); },
     "65537 tensors"},
    {"TensorCountHuge", [] { return edited([](FileSpec& s) { s.tensor_count = INT64_MAX; }); },
     "tensors"},
    {"TensorCountBeyondFile", [] { return edited([](FileSpec& s) { s.tensor_count = 60'000; }); },
     "60000 tensors"},
    {"TensorCountOneTooMany", [] { return edited([](FileSpec& s) { s.tensor_count = 3; }); }, ""},
    {"MetadataCountOverLimit", [] { return edited([](FileSpec& s) { s.metadata_count = 4'097; }); },
     "4097 metadata"},
    {"MetadataCountHuge", [] { return edited([](FileSpec& s) { s.metadata_count = INT64_MAX; }); },
     "metadata"},
    {"MetadataCountBeyondFile",
     [] { return edited([](FileSpec& s) { s.metadata_count = 4'000; }); }, "4000 metadata"},
    {"MetadataCountOneTooMany", [] { return edited([](FileSpec& s) { s.metadata_count = 9; }); },
     ""},
    {"MetadataCountOneTooFew", [] { return edited([](FileSpec& s) { s.metadata_count = 7; }); },
     ""},
    {"KeyEmpty", [] { return with_metadata(entry_u32("", 1)); }, "key is empty"},
    {"KeyTwice", [] { return with_metadata(entry_u32("flag", 1)); }, "'flag' is there twice"},
    {"KeyOverLimit", [] { return with_metadata(entry_u32(std::string(65'536, 'k'), 1)); },
     "65536 bytes"},
    {"KeyLengthHuge",
     [] { return with_metadata(Bytes().put<std::uint64_t>(UINT64_MAX).raw("k").data()); }, "limit"},
    {"KeyBeyondFile",
     [] { return with_metadata(Bytes().put<std::uint64_t>(60'000).raw("k").data()); },
     "ends inside"},
    {"ValueTypeUnknown", [] { return with_metadata(entry("k", 13, "aaaaaaaa")); },
     "unknown type 13"},
    {"ValueTypeHuge", [] { return with_metadata(entry("k", UINT32_MAX, "aaaaaaaa")); },
     "unknown type"},
    {"BoolOf2", [] { return with_metadata(entry("k", 7, "\2")); }, "neither 0 nor 1"},
    {"BoolOf255", [] { return with_metadata(entry("k", 7, "\xff")); }, "neither 0 nor 1"},
    {"StringOverLimit",
     [] { return with_metadata(entry_string("k", std::string((16u << 20) + 1, 's'))); },
     "16777217 bytes"},
    {"StringLengthHuge",
     [] { return with_metadata(entry("k", 8, Bytes().put<std::uint64_t>(UINT64_MAX).data())); },
     "limit"},
    {"StringLengthNegative",
     [] { return with_metadata(entry("k", 8, Bytes().put<std::int64_t>(-8).data())); }, "limit"},
    {"StringBeyondFile",
     [] { return with_metadata(entry("k", 8, Bytes().put<std::uint64_t>(1 << 20).data())); },
     "ends inside"},
    {"ArrayOfArrays", [] { return with_metadata(entry("k", 9, array_header(9, 1))); },
     "array of type 9"},
    {"ArrayOfUnknown", [] { return with_metadata(entry("k", 9, array_header(77, 1))); },
     "array of type 77"},
    {"ArrayCountOverLimit",
     [] { return with_metadata(entry("k", 9, array_header(0, (1u << 24) + 1))); },
     "16777217 elements"},
    {"ArrayCountHuge", [] { return with_metadata(entry("k", 9, array_header(10, UINT64_MAX))); },
     "elements"},
    {"ArrayCountWraps",
     [] { return with_metadata(entry("k", 9, array_header(10, (1ull << 61) + 1))); }, "elements"},
    {"ArrayBeyondFile", [] { return with_metadata(entry("k", 9, array_header(4, 1 << 20))); },
     "ends inside"},
    {"StringArrayBeyondFile", [] { return with_metadata(entry("k", 9, array_header(8, 1 << 20))); },
     "ends inside"},
    {"StringArrayElementHuge",
     [] {
       return with_metadata(
           entry("k", 9, array_header(8, 1) + Bytes().put<std::uint64_t>(UINT64_MAX - 7).data()));
     },
     "limit"},
    {"StringArrayElementBeyondFile",
     [] {
       return with_metadata(
           entry("k", 9, array_header(8, 1) + Bytes().put<std::uint64_t>(9'999).data()));
     },
     "ends inside"},
    {"Alignment0", [] { return with_metadata(entry_u32("general.alignment", 0)); }, "power of two"},
    {"Alignment4", [] { return with_metadata(entry_u32("general.alignment", 4)); }, "power of two"},
    {"Alignment24", [] { return with_metadata(entry_u32("general.alignment", 24)); },
     "power of two"},
    {"Alignment131072", [] { return with_metadata(entry_u32("general.alignment", 131'072)); },
     "power of two"},
    {"AlignmentTopBit", [] { return with_metadata(entry_u32("general.alignment", 0x80000000)); },
     "power of two"},
    {"AlignmentString", [] { return with_metadata(entry_string("general.alignment", "32")); },
     "power of two"},
    {"AlignmentU64",
     [] {
       return with_metadata(entry("general.alignment", 10, Bytes().put<std::uint64_t>(32).data()));
     },
     "power of two"},
    {"NameEmpty", [] { return with_tensor({"", {4}, kTypeF32, floats(4)}); }, "name is empty"},
    {"NameTwice", [] { return with_tensor({"first", {4}, kTypeF32, floats(4)}); },
     "'first' is there twice"},
    {"NameOf64Bytes", [] { return with_tensor({std::string(64, 'n'), {4}, kTypeF32, floats(4)}); },
     "limit is 63"},
    {"NoDimensions", [] { return with_tensor({"t", {}, kTypeF32, floats(4)}); }, "0 dimensions"},
    {"FiveDimensions", [] { return with_tensor({"t", {2, 1, 1, 1, 1}, kTypeF32, floats(4)}); },
     "5 dimensions"},
    {"DimensionZero", [] { return with_tensor({"t", {4, 0}, kTypeF32, ""}); }, "size 0"},
    {"FirstDimensionZero", [] { return with_tensor({"t", {0, 4}, kTypeF32, ""}); }, "size 0"},
    {"DimensionsOverflow",
     [] { return with_tensor({"t", {1ull << 32, 1ull << 32}, kTypeF32, ""}); }, "64 bits"},
    {"DimensionsWrapToSmall",
     [] { return with_tensor({"t", {(1ull << 63) + 2, 2}, kTypeF32, floats(4)}); }, "64 bits"},
    {"BytesOverflow", [] { return with_tensor({"t", {1ull << 62}, kTypeF32, ""}); }, "'t'"},
    {"BytesBeyondFile", [] { return with_tensor({"t", {1ull << 40}, kTypeF32, ""}); },
     "ends inside the data"},
    {"BytesBeyondFileByOne",
     [] { return with_tensor({"t", {5}, kTypeF32, floats(5).substr(0, 19)}); },
     "ends inside the data"},
    {"TypeUnknown", [] { return with_tensor({"t", {32}, 999, ""}); }, "unknown type 999"},
    {"TypeOfIkLlama", [] { return with_tensor({"t", {32}, 339, ""}); },
     "IQ4_K_R4, which this engine does not run; ik_llama.cpp runs it"},
    {"TypeRemoved", [] { return with_tensor({"t", {32}, 4, ""}); }, "unknown type 4"},
    {"TypeIq4Xs", [] { return with_tensor({"t", {256}, 23, ""}); },
     "IQ4_XS, which this engine does not run; Ollama or llama-server"},
    {"TypeQ2K", [] { return with_tensor({"t", {256}, 10, ""}); }, "Q2_K, which"},
    {"TypeIq2Xxs", [] { return with_tensor({"t", {256}, 16, ""}); },
     "IQ2_XXS, which this engine does not run; Ollama or llama-server"},
    {"TypeMxfp4", [] { return with_tensor({"t", {32}, 39, ""}); },
     "MXFP4, which this engine does not run; Ollama or llama-server"},
    {"TypeTl2", [] { return bitnet_with_type(39); },
     "TL2, which this engine does not run; bitnet.cpp"},
    {"TypeNvfp4", [] { return with_tensor({"t", {64}, 40, ""}); }, "NVFP4, which"},
    {"TypeIq1Bn", [] { return with_tensor({"t", {64}, 134, ""}); },
     "IQ1_BN, which this engine does not run; ik_llama.cpp"},
    {"TypeIq2Bn", [] { return with_tensor({"t", {64}, 135, ""}); }, "ik_llama.cpp"},
    {"TypeStq1Rebased", [] { return with_tensor({"t", {256}, 43, ""}); }, "STQ1_0, which"},
    {"TypeTl1", [] { return with_tensor({"t", {128}, 38, ""}); }, "bitnet.cpp"},
    {"RowNotWholeBlocks32", [] { return with_tensor({"t", {33}, 8, std::string(68, '\0')}); },
     "33 weights do not fit Q8_0 blocks"},
    {"RowNotWholeBlocks256",
     [] { return with_tensor({"t", {128, 2}, 12, std::string(144, '\0')}); },
     "128 weights do not fit Q4_K blocks"},
    {"OffsetUnaligned", [] { return with_offsets({0, 33}); }, "not a multiple of 32"},
    {"OffsetOverlaps", [] { return with_offsets({0, 0}); }, "overlaps"},
    {"OffsetsDescend",
     [] {
       return edited([](FileSpec& s) {
         s.offsets = {32, 0};
         s.after = std::string(64, ' ');
       });
     },
     "overlaps"},
    {"OffsetBeyondFile", [] { return with_offsets({0, 1 << 20}); },
     "ends inside the data of tensor 'second'"},
    {"OffsetWraps", [] { return with_offsets({0, UINT64_MAX - 31}); }, "ends inside the data"},
    {"FirstOffsetWraps", [] { return with_offsets({UINT64_MAX - 31, 32}); }, ""},
    {"DataMissing",
     [] {
       return edited([](FileSpec& s) {
         s.tensors[0].data = s.tensors[1].data = "";
         s.offsets = {0, 32};
       });
     },
     "ends inside the data"},
    {"Type42IsStq1", [] { return with_42({{{256, 2}, 512 / 256 * 42}}); },
     "STQ1_0 (under the id of Q2_0), which this engine does not run; Tencent's"},
    {"Type42OfNoKnownSize", [] { return with_42({{{256, 2}, 100}}); },
     "room for 100 bytes, the size of no format"},
    {"Type42OfNoKnownSizeAmongOthers",
     [] { return with_42({{{256, 64}, k64(256 * 64)}, {{256, 64}, 6000}, {{256, 2}, 144}}); },
     "tensor 'w1' of type 42 has room for 6016 bytes"},
    {"Type42InTwoFormats",
     [] { return with_42({{{256, 64}, k64(256 * 64)}, {{256, 64}, k128(256 * 64)}}); },
     "'w0' has the size of Q2_0, 'w1' has the size of Q2_0 of 128 weights a block"},
    {"Type42RowsFitNoBlock", [] { return with_42({{{96, 2}, 54}}); }, "the size of no format"},
    {"Type42Descends",
     [] {
       FileSpec spec = with_42({{{256, 64}, k64(256 * 64)}, {{256, 64}, k64(256 * 64)}});
       spec.offsets = {0, 32, 4640, 64};
       return spec;
     },
     "overlaps"},
};

class GgufBadFile : public ::testing::TestWithParam<BadFile> {};

TEST_P(GgufBadFile, IsRefusedWithAReason) {
  const std::string bytes = write(GetParam().make());
  const auto file = parse(bytes);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, Code::kInvalid);
  EXPECT_NE(file.error().message.find(GetParam().message), std::string::npos)
      << file.error().message;
  EXPECT_LT(file.error().message.size(), 400u);
}

INSTANTIATE_TEST_SUITE_P(Table, GgufBadFile, ::testing::ValuesIn(kBadFiles),
                         [](const auto& param) { return std::string(param.param.name); });

// Encodings that the file's tensors of type 42 are read as; empty when it is refused.
std::vector<kernels::Encoding> read_42(const FileSpec& spec) {
  const std::string bytes = write(spec);
  const auto file = parse(bytes);
  std::vector<kernels::Encoding> found;
  if (!file) return found;
  for (const Tensor& tensor : file->tensors())
    if (tensor.name.starts_with("w")) found.push_back(tensor.encoding);
  return found;
}

TEST(GgufType42, IsToldByTheSizesOfItsTensors) {
  using enum kernels::Encoding;
  using List = std::vector<kernels::Encoding>;
  EXPECT_EQ(read_42(with_42({{{256, 2}, 144}})), List{kQ2_0});
  EXPECT_EQ(read_42(with_42({{{256, 2}, 136}})), List{kPQ2_0});
  EXPECT_EQ(read_42(with_42({{{64, 3}, 54}})), List{kQ2_0}) << "128 does not divide the row";
  EXPECT_EQ(read_42(with_42({{{256, 64}, k64(256 * 64)}, {{512, 8}, k64(512 * 8)}})),
            (List{kQ2_0, kQ2_0}));
  EXPECT_EQ(read_42(with_42({{{256, 64}, k128(256 * 64)}, {{512, 8}, k128(512 * 8)}})),
            (List{kPQ2_0, kPQ2_0}));
}

TEST(GgufType42, SmallTensorsThatFitBothGoWithTheOthers) {
  using enum kernels::Encoding;
  // 256 weights: 72 or 68 bytes, 96 with padding in either format.
  EXPECT_EQ(read_42(with_42({{{256}, 68}, {{256, 64}, k128(256 * 64)}})),
            (std::vector{kPQ2_0, kPQ2_0}));
  EXPECT_EQ(read_42(with_42({{{256}, 72}, {{256, 64}, k64(256 * 64)}})),
            (std::vector{kQ2_0, kQ2_0}));
}

TEST(GgufType42, BytesAfterTheLastTensorDoNotDecide) {
  using enum kernels::Encoding;
  FileSpec spec = with_42({{{256, 64}, k128(256 * 64)}, {{256, 64}, k128(256 * 64)}});
  spec.after = std::string(256, 'x');  // what the last one needed to look like 64 weights a block
  EXPECT_EQ(read_42(spec), (std::vector{kPQ2_0, kPQ2_0}));
}

TEST(GgufFile, IsRefusedWhenCutAnywhere) {
  FileSpec spec = small_file();
  spec.metadata.push_back(entry_string("tokenizer.chat_template", std::string(500, 't')));
  const std::string whole = write(spec);
  ASSERT_TRUE(parse(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    // Own allocation of exactly this size, so that a sanitizer sees a read past it.
    const std::vector<char> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    const auto file = File::parse(std::as_bytes(std::span(cut)));
    ASSERT_FALSE(file) << "cut at byte " << size;
    EXPECT_EQ(file.error().code, Code::kInvalid);
  }
}

TEST(GgufFile, NeverPrintsControlCharactersOfNames) {
  const std::string bytes = write(with_tensor({"a\x1b[2J\nb", {4}, 999, ""}));
  const auto file = parse(bytes);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().message.find('\x1b'), std::string::npos);
  EXPECT_EQ(file.error().message.find('\n'), std::string::npos);
}

// Opening by path

class GgufOpen : public ::testing::Test {
 protected:
  GgufOpen() {
    std::string pattern = ::testing::TempDir() + "gguf_XXXXXX";
    dir_ = ::mkdtemp(pattern.data());
  }
  ~GgufOpen() override {
    std::remove(path("f").c_str());
    ::rmdir(dir_.c_str());
  }
  std::string path(const std::string& name) const { return dir_ + "/" + name; }

  std::string dir_;
};

TEST_F(GgufOpen, ReadsAFileFromDisk) {
  std::ofstream(path("f"), std::ios::binary) << write(small_file());
  const auto file = File::open(path("f"));
  ASSERT_TRUE(file) << file.error().message;
  const Tensor* tensor = file->find_tensor("first");
  ASSERT_NE(tensor, nullptr);
  file->will_need(tensor->data);
  file->drop(tensor->data);
  float values[8];
  std::memcpy(values, tensor->data.data(), sizeof values);  // read again after the drop
  EXPECT_EQ(values[7], 7.0f);
}

TEST_F(GgufOpen, CopiesAPartOfTheFile) {
  std::ofstream(path("f"), std::ios::binary) << write(small_file());
  auto opened = File::open(path("f"));
  ASSERT_TRUE(opened) << opened.error().message;
  const File file = std::move(*opened);  // the open file goes along
  std::remove(path("f").c_str());        // and needs no name
  const Tensor* tensor = file.find_tensor("first");
  ASSERT_NE(tensor, nullptr);
  float values[2] = {-1.0f, -1.0f};
  file.copy(tensor->data.subspan(7 * sizeof(float), sizeof(float)),
            reinterpret_cast<std::byte*>(values));
  EXPECT_EQ(values[0], 7.0f);
  EXPECT_EQ(values[1], -1.0f);
}

TEST_F(GgufOpen, SaysWhichFileIsMissing) {
  const auto file = File::open(path("none.gguf"));
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, Code::kNotFound);
  EXPECT_NE(file.error().message.find("none.gguf"), std::string::npos);
}

TEST_F(GgufOpen, RefusesAnEmptyFile) {
  std::ofstream(path("f")).flush();
  const auto file = File::open(path("f"));
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, Code::kInvalid);
}

TEST_F(GgufOpen, RefusesAFolder) {
  const auto file = File::open(dir_);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, Code::kInvalid);
}

TEST_F(GgufOpen, DoesNotWaitForAFifo) {
  ASSERT_EQ(::mkfifo(path("f").c_str(), 0600), 0);
  const auto file = File::open(path("f"));
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, Code::kInvalid);
}

}  // namespace
}  // namespace tophand::gguf
