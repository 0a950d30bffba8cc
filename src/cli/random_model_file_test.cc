#include "cli/random_model_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "engine/benchmark/random_model.h"
#include "gguf/file.h"

namespace tophand::cli {
namespace {

class RandomModelFileTest : public ::testing::Test {
 protected:
  RandomModelFileTest() {
    std::string pattern = ::testing::TempDir() + "random_model_XXXXXX";
    plan_.folder = ::mkdtemp(pattern.data());
    plan_.name = "small.gguf";
    plan_.shape = engine::find_model_shape("qwen2.5-coder-0.5b").value();
    plan_.shape.width = plan_.shape.ffn_width = 256;
    plan_.shape.layers = 1;
    plan_.shape.heads = plan_.shape.kv_heads = 4;
    plan_.shape.head_size = 64;
    plan_.shape.vocabulary = 300;
  }
  ~RandomModelFileTest() override { std::filesystem::remove_all(plan_.folder); }

  bool folder_is_empty() const { return std::filesystem::is_empty(plan_.folder); }

  RandomModelPlan plan_;
};

// What SIGKILL would leave: nothing, at no time.
TEST_F(RandomModelFileTest, HasNoNameWhileItIsWrittenNorAfter) {
  int asked = 0;
  const auto file = RandomModelFile::create(plan_, [&](double) {
    ++asked;
    EXPECT_TRUE(folder_is_empty());
    return true;
  });
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_GT(asked, 5);
  EXPECT_TRUE(folder_is_empty());
  const auto model = gguf::File::open(file->path());
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->size_bytes(), engine::random_model_bytes(plan_.shape).value());
}

TEST_F(RandomModelFileTest, StaysUnderItsNameWhereItIsToBeKept) {
  plan_.keep = true;
  {
    const auto file = RandomModelFile::create(plan_, nullptr);
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(file->path(), plan_.path());
  }
  EXPECT_TRUE(gguf::File::open(plan_.path()));
}

TEST_F(RandomModelFileTest, LeavesNothingWhenStopped) {
  for (const bool keep : {false, true}) {
    plan_.keep = keep;
    const auto file = RandomModelFile::create(plan_, [](double) { return false; });
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().code, Code::kCancelled);
    EXPECT_TRUE(folder_is_empty());
  }
}

}  // namespace
}  // namespace tophand::cli
