// Token for token against llama.cpp on real vocabularies, where the models are installed: in the
// folder TOPHAND_TEST_MODELS, or else in the user's own model folder.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/json.h"
#include "engine/vocabulary.h"

namespace tophand::engine {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

fs::path model_folder() {
  if (const std::string given = environment("TOPHAND_TEST_MODELS"); !given.empty()) return given;
  if (const std::string data = environment("TOPHAND_DATA"); !data.empty()) return data + "/models";
  if (const std::string data = environment("XDG_DATA_HOME"); !data.empty())
    return data + "/tophand/models";
  return environment("HOME") + "/.local/share/tophand/models";
}

// The column of the recorded table that this vocabulary answers to; "" for others.
std::string column_of(const text::Tokenizer& tokenizer) {
  if (tokenizer.find("<|im_start|>") == 151'644) return "qwen2.5";
  if (tokenizer.vocabulary_size() == 49'152 && tokenizer.find("<|im_start|>") == 1)
    return "smollm2";
  return "";
}

TEST(RealVocabulary, GivesTheIdsOfLlamaCpp) {
  std::ifstream in(std::string(TOPHAND_SOURCE_DIR) + "/tests/reference/tokenizer_ids.json");
  std::stringstream text;
  text << in.rdbuf();
  const auto rows = parse_json(text.str());
  ASSERT_TRUE(rows.has_value() && rows->size() > 250);
  int checked = 0;
  std::error_code ignored;
  for (const auto& entry : fs::recursive_directory_iterator(model_folder(), ignored)) {
    if (!entry.is_regular_file() || entry.path().extension() != ".gguf") continue;
    const auto tokenizer = load_tokenizer(entry.path().string());
    if (!tokenizer) continue;  // another architecture, or a download under way
    const std::string column = column_of(**tokenizer);
    if (column.empty()) continue;
    ++checked;
    for (const Json& row : *rows) {
      std::vector<text::TokenId> ids;
      (*tokenizer)->encode(row["text"].get<std::string>(), text::SpecialTokens::kParse, ids);
      EXPECT_EQ(ids, row[column].get<std::vector<text::TokenId>>())
          << column << ": " << row["text"].dump();
    }
  }
  if (checked == 0) {
    std::printf("skipped: no model with a recorded vocabulary in %s\n", model_folder().c_str());
    GTEST_SKIP();
  }
  std::printf("checked %d vocabularies on %zu lines\n", checked, rows->size());
}

}  // namespace
}  // namespace tophand::engine
