#include "models/blobs.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace tophand::models {
namespace {

// sha256sum of "hello" and of nothing.
const std::string kHello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
const std::string kNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

class BlobTest : public testing::Test {
 protected:
  BlobTest() {
    std::string pattern = testing::TempDir() + "blobs-XXXXXX";
    dir_ = ::mkdtemp(pattern.data());
  }
  ~BlobTest() override { std::filesystem::remove_all(dir_); }
  std::size_t files() const {
    std::size_t n = 0;
    for (const auto& item : std::filesystem::directory_iterator(dir_ + "/blobs"))
      n += item.exists() ? 1 : 0;
    return n;
  }
  std::string dir_;
};

TEST_F(BlobTest, IsThereOnceItsHashWasChecked) {
  {
    const auto blob = BlobWriter::create(dir_, kHello, 5);
    ASSERT_TRUE(blob) << blob.error().message;
    ASSERT_TRUE((*blob)->write("he"));
    EXPECT_FALSE(has_blob(dir_, kHello));
    ASSERT_TRUE((*blob)->write("llo"));
    ASSERT_TRUE((*blob)->commit());
  }
  EXPECT_TRUE(has_blob(dir_, kHello));
  std::ifstream file(blob_path(dir_, kHello), std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "hello");
  EXPECT_EQ(files(), 1u);
}

TEST_F(BlobTest, OfAnotherHashLeavesNothingBehind) {
  {
    const auto blob = BlobWriter::create(dir_, kNothing, 0);
    ASSERT_TRUE((*blob)->write("hello"));
    const auto done = (*blob)->commit();
    EXPECT_EQ(done.error().code, Code::kInvalid);
    EXPECT_EQ(done.error().message, "digest mismatch, expected \"sha256:" + kNothing +
                                        "\", got \"sha256:" + kHello + "\"");
  }
  {
    const auto broken_off = BlobWriter::create(dir_, kHello, 5);
    ASSERT_TRUE((*broken_off)->write("he"));
  }
  EXPECT_EQ(files(), 0u);
}

TEST_F(BlobTest, ThatCannotFitIsRefusedBeforeItIsWritten) {
  EXPECT_EQ(BlobWriter::create(dir_, kHello, kBlobBytesMax + 1).error().code, Code::kTooLarge);
}

TEST_F(BlobTest, ThatNoModelUsesGoesAfterADay) {
  namespace fs = std::filesystem;
  fs::create_directories(dir_ + "/blobs");
  const auto write = [&](const std::string& name, int hours_old) {
    const std::string path = dir_ + "/blobs/" + name;
    std::ofstream(path) << "x";
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(hours_old));
    return path;
  };
  const std::string used = write("sha256-" + kHello, 100);
  const std::string unused = write("sha256-" + kNothing, 25);
  const std::string fresh = write("sha256-" + std::string(64, 'a'), 23);
  const std::string part = write("sha256-" + kHello + ".123456.part", 25);
  const std::string of_somebody = write("notes.txt", 100);
  EXPECT_EQ(remove_unused_blobs(dir_, {"/elsewhere/model.gguf", used}), 2);
  EXPECT_TRUE(fs::exists(used));
  EXPECT_TRUE(fs::exists(fresh));
  EXPECT_TRUE(fs::exists(of_somebody));
  EXPECT_FALSE(fs::exists(unused));
  EXPECT_FALSE(fs::exists(part));
  EXPECT_EQ(remove_unused_blobs(dir_ + "/no such folder", {}), 0);
}

TEST(BlobDigest, IsSixtyFourHexDigits) {
  EXPECT_EQ(digest_hex("sha256:" + kHello), kHello);
  EXPECT_EQ(digest_hex("sha256-" + kHello), kHello);
  for (const std::string& digest :
       {std::string(), kHello, "md5:" + kHello, "sha256:" + kHello.substr(1),
        "sha256:" + kHello + "0", "sha256:../" + kHello.substr(3), "sha256:" + std::string(64, 'A'),
        "sha256:" + std::string(63, '0') + "/"})
    EXPECT_FALSE(digest_hex(digest)) << digest;
}

}  // namespace
}  // namespace tophand::models
