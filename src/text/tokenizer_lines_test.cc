// Token for token against PyPI's `tokenizers` and `sentencepiece` on small vocabularies; recorded
// by tests/reference/tokenizer_lines.py, whose `check` does the same on 12,000 lines a vocabulary.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "base/json.h"
#include "text/tokenizer.h"

namespace tophand::text {
namespace {

const Json& recorded() {
  static const Json json = [] {
    std::ifstream in(std::string(TOPHAND_SOURCE_DIR) + "/tests/reference/tokenizer_lines.json");
    std::stringstream text;
    text << in.rdbuf();
    auto parsed = parse_json(text.str());
    EXPECT_TRUE(parsed.has_value());
    return parsed ? *parsed : Json::array();
  }();
  return json;
}

std::unique_ptr<Tokenizer> tokenizer_of(const Json& json) {
  TokenizerSpec spec;
  spec.model = json["model"];
  spec.pre = json["pre"];
  spec.tokens = json["tokens"].get<std::vector<std::string>>();
  spec.types = json["types"].get<std::vector<std::int32_t>>();
  if (const Json* merges = find_key(json, "merges"))
    spec.merges = merges->get<std::vector<std::string>>();
  if (const Json* scores = find_key(json, "scores"))
    spec.scores = scores->get<std::vector<float>>();
  if (const Json* unknown = find_key(json, "unknown")) spec.unknown = unknown->get<TokenId>();
  spec.add_space_prefix = json["space_prefix"].get<bool>();
  auto made = Tokenizer::create(std::move(spec));
  EXPECT_TRUE(made.has_value()) << made.error().message;
  return made ? std::move(*made) : nullptr;
}

std::vector<TokenId> encode(const Tokenizer& tokenizer, const std::string& text,
                            SpecialTokens special) {
  std::vector<TokenId> out;
  tokenizer.encode(text, special, out);
  return out;
}

TEST(TokenizerLines, GivesTheIdsOfTheReferenceLibraries) {
  ASSERT_EQ(recorded().size(), 8u);
  for (const Json& vocabulary : recorded()) {
    const std::string name = vocabulary["name"];
    const auto tokenizer = tokenizer_of(vocabulary);
    ASSERT_TRUE(tokenizer) << name;
    ASSERT_GT(vocabulary["rows"].size(), 80u);
    for (const Json& row : vocabulary["rows"]) {
      const std::string text = row[0];
      EXPECT_EQ(encode(*tokenizer, text, SpecialTokens::kAsText),
                row[1].get<std::vector<TokenId>>())
          << name << ": " << row[0].dump();
      const auto special = encode(*tokenizer, text, SpecialTokens::kParse);
      EXPECT_EQ(special, row[2].get<std::vector<TokenId>>()) << name << ": " << row[0].dump();
      if (name == "sentencepiece-no-bytes") continue;  // <unk> says nothing
      EXPECT_EQ(tokenizer->decode(special), text) << name;
    }
  }
}

}  // namespace
}  // namespace tophand::text
