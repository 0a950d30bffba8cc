#include "chat/token_estimate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "base/json.h"

namespace tophand::chat {
namespace {

std::array<std::int64_t, 9> listed(const TextFeatures& f) {
  return {f.humps,          f.long_letters, f.digits,    f.punctuation, f.newlines,
          f.indented_lines, f.caps_letters, f.non_ascii, f.underscores};
}

// Expected values from the patterns in tests/conformance/tokens/README.md, run by Python's re.
TEST(TextFeatures, FollowTheirPatterns) {
  using Row = std::pair<const char*, std::array<std::int64_t, 9>>;
  const Row rows[] = {
      {"", {0, 0, 0, 0, 0, 0, 0, 0, 0}},
      {"parseHTTPHeader", {3, 9, 0, 0, 0, 0, 0, 0, 0}},
      {"parseHTTPHeader_v2 = ALL", {5, 9, 1, 1, 0, 0, 3, 0, 1}},
      {"  indented\n\t\n\tx", {2, 2, 0, 0, 2, 2, 0, 0, 0}},
      {"a\xE2\x80\x94"
       "b \xE2\x86\x92 \xC3\xBCn\xC3\xAF",
       {3, 0, 0, 2, 0, 0, 0, 4, 0}},
      {"ABC Ab aB", {4, 0, 0, 0, 0, 0, 3, 0, 0}},
      {"x_y__z 42!", {3, 0, 2, 1, 0, 0, 0, 0, 3}},
  };
  for (const auto& [text, expected] : rows)
    EXPECT_EQ(listed(text_features(text)), expected) << text;
}

TEST(TextFeatures, CountBrokenUtf8WithoutReadingPastTheEnd) {
  for (const char* text : {"\xF0", "\xE2\x86", "\x80\x80", "\xF0\x9F\x98", "\xC3("})
    EXPECT_GT(text_features(text).non_ascii, 0) << text;
}

TEST(TokenEstimate, IsNearRecordedCounts) {
  std::ifstream file(std::string(TOPHAND_SOURCE_DIR) +
                     "/tests/conformance/tokens/multipl_e_sample.jsonl");
  const std::pair<const char*, TokenFamily> families[] = {
      {"v3", TokenFamily::kV3}, {"v4.7", TokenFamily::kV47}, {"v5", TokenFamily::kV5}};
  int texts = 0;
  for (std::string line; std::getline(file, line); ++texts) {
    const auto row = parse_json(line);
    ASSERT_TRUE(row.has_value());
    const auto text = row->at("text").get<std::string>();
    const auto expected = row->at("features").get<std::array<std::int64_t, 9>>();
    EXPECT_EQ(listed(text_features(text)), expected) << row->at("language");
    Request request;
    request.messages.push_back({Role::kUser, {TextBlock{text}}});
    for (const auto& [name, family] : families) {
      const double recorded = row->at(name).get<double>();
      const auto estimated = static_cast<double>(estimate_tokens(family, request));
      EXPECT_LT(std::abs(estimated / recorded - 1), 0.15)
          << row->at("language") << " " << name << ": " << estimated << " for " << recorded;
    }
  }
  EXPECT_EQ(texts, 4);
}

TEST(TokenEstimate, CountsSystemToolsAndImages) {
  Request request;
  request.messages.push_back({Role::kUser, {TextBlock{"hi"}}});
  const auto plain = estimate_tokens(TokenFamily::kV5, request);
  EXPECT_EQ(plain, 6 + 1) << "the frame and one sub-word";
  request.messages.insert(request.messages.begin(), {Role::kSystem, {TextBlock{"one two"}}});
  EXPECT_EQ(estimate_tokens(TokenFamily::kV5, request), plain + 3) << "2 x 1.391, rounded";
  request.messages.push_back({Role::kUser, {ImageBlock{}}});
  EXPECT_EQ(estimate_tokens(TokenFamily::kV5, request), plain + 3 + 6 + 1600);
}

TEST(ClaudeTokenFamily, FollowsTheVersionInTheName) {
  const std::pair<const char*, TokenFamily> rows[] = {
      {"claude-3-5-sonnet-20241022", TokenFamily::kV3},
      {"claude-3-haiku-20240307", TokenFamily::kV3},
      {"claude-sonnet-4-20250514", TokenFamily::kV3},
      {"claude-sonnet-4-5", TokenFamily::kV3},
      {"claude-opus-4-6", TokenFamily::kV3},
      {"claude-opus-4-7", TokenFamily::kV47},
      {"claude-haiku-5-5", TokenFamily::kV5},
      {"claude-fable-5-2", TokenFamily::kV5},
      {"claude", TokenFamily::kV5}};
  for (const auto& [model, family] : rows) EXPECT_EQ(claude_token_family(model), family) << model;
}

}  // namespace
}  // namespace tophand::chat
