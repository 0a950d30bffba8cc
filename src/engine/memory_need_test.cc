// That what is predicted from the header is what a model with a full context then takes.
#include "engine/memory_need.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "base/sanitized_for_tests.h"
#include "engine/benchmark/random_model.h"
#include "engine/memory.h"
#include "engine/session.h"

namespace tophand::engine {
namespace {

// Thread stacks, the program's own code as it is first run, rounding to huge pages: some MiB
// whatever the model's size, so they count beside the 3 %.
constexpr std::int64_t kProcessBytes = std::int64_t{4} << 20;

std::int64_t total(const ResidentMemory& memory) {
  return memory.anonymous + memory.file;
}

class MemoryNeedTest : public ::testing::Test {
 protected:
  MemoryNeedTest() {
    std::string pattern = ::testing::TempDir() + "memory_need_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~MemoryNeedTest() override { std::filesystem::remove_all(folder_); }

  // At least 130 MiB, with vocabulary and embedding of a usual size.
  static ModelShape medium(std::string_view name) {
    ModelShape shape = find_model_shape(name).value();
    shape.width = 1'024;
    shape.layers = 6;
    shape.ffn_width = 4'096;
    shape.heads = 16;
    shape.kv_heads = 8;
    shape.head_size = 64;
    shape.vocabulary = 150'000;
    shape.context = 8'192;
    return shape;
  }

  std::string folder_;
};

TEST_F(MemoryNeedTest, IsWithinThreePercentOfWhatAFullContextTakes) {
#if defined(TOPHAND_SANITIZED)
  GTEST_SKIP() << "sanitizers take memory of their own";
#endif
  for (const char* name : {"qwen2.5-coder-0.5b", "bitnet-2b", "bonsai-8b"}) {
    SCOPED_TRACE(name);
    const std::string path = folder_ + "/" + name + ".gguf";
    ASSERT_TRUE(write_random_model(path, medium(name), 1, nullptr));
#if defined(__GLIBC__)
    ::malloc_trim(0);  // what earlier tests freed must not be what this model is made of
#endif
    const ResidentMemory start = resident_memory();
    const std::int64_t before = total(start);
    ASSERT_GT(before, 0);
    LoadOptions options;
    options.path = path;
    options.threads = 2;
    options.context_tokens = 1'024;
    const auto model = Model::load(options, nullptr);
    ASSERT_TRUE(model) << model.error().message;
    const MemoryNeed& need = (*model)->info().memory;
    EXPECT_LE(total(resident_memory()) - before, need.total() + kProcessBytes);

    const auto session = Session::create(**model);
    ASSERT_TRUE(session);
    std::vector<text::TokenId> tokens;
    for (std::int64_t i = 0; i < options.context_tokens; ++i)
      tokens.push_back(static_cast<text::TokenId>(i * 7'919 % 150'000));
    ASSERT_TRUE((*session)->forward(tokens, nullptr));
    const std::int64_t used = total(resident_memory()) - before;
    const auto within =
        static_cast<double>(kProcessBytes) + 0.03 * static_cast<double>(need.total());
    EXPECT_NEAR(static_cast<double>(used), static_cast<double>(need.total()), within)
        << describe(need, options.context_tokens);
    EXPECT_GT(need.total(), 15 * kProcessBytes);  // or the constant would hide everything
    // Reading 1,024 rows of the embedding leaves none of the file in memory.
    EXPECT_LE(resident_memory().file - start.file, kProcessBytes);
  }
}

}  // namespace
}  // namespace tophand::engine
