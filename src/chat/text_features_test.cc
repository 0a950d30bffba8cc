#include "chat/text_features.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>
#include <string_view>

namespace tophand::chat {
namespace {

std::array<std::int64_t, 9> listed(const TextFeatures& f) {
  return {f.humps,          f.long_letters, f.digits,    f.punctuation, f.newlines,
          f.indented_lines, f.caps_letters, f.non_ascii, f.underscores};
}

void expect_same(const std::string& text) {
  ASSERT_EQ(listed(text_features(text)), listed(text_features_bytewise(text)))
      << text.size() << " bytes: " << text;
}

// Runs of letters, blanks and code points that lie across the ends of what is counted at once.
TEST(TextFeatures, AreTheSameWhereverABlockEnds) {
  for (const std::string_view piece :
       {"abcdefghijk", "ABCDEFGH", "ABCd", "aBCD", "parseHTTPHeader", "\n    indented", "\n\t\n",
        "\n  \r\n", "\xF0\x9F\x98\x80", "\xE2\x80\x94", "\xC3\xBC", "\xE2\x80", "\x80", "_9_",
        "\x1c"})
    for (std::size_t before = 50; before < 70; ++before)
      for (const char filler : {'.', 'a', 'A', ' ', '\n'}) {
        const std::string front(before, filler);
        expect_same(front + std::string(piece));
        expect_same(front + std::string(piece) + front + std::string(piece) + "x");
      }
}

TEST(TextFeatures, AreThoseOfTheBytesOneByOne) {
  constexpr std::string_view kPieces[] = {"a",
                                          "Z",
                                          "ab",
                                          "CD",
                                          "HTTPHeader",
                                          "snake_case",
                                          "0",
                                          "42",
                                          "_",
                                          ".",
                                          "()",
                                          " ",
                                          "  ",
                                          "\t",
                                          "\n",
                                          "\n  ",
                                          "\n\n",
                                          "\r\n",
                                          "\x0b",
                                          "\x1c",
                                          "\x7f",
                                          std::string_view("\0", 1),
                                          "\xC3\xBC",
                                          "\xE2\x86\x92",
                                          "\xE4\xB8\xAD",
                                          "\xF0\x9F\x98\x80",
                                          "\xFF",
                                          "\xE2\x82",
                                          "\xC0\x80",
                                          "longlettersinarow"};
  const unsigned seed = std::random_device()();
  std::mt19937 random(seed);
  SCOPED_TRACE("seed " + std::to_string(seed));
  for (int round = 0; round < 3000; ++round) {
    // A few kinds of pieces at a time make long runs of each.
    std::array<std::string_view, 4> some;
    for (std::string_view& piece : some) piece = kPieces[random() % std::size(kPieces)];
    std::string text;
    for (auto n = random() % 120; n > 0; --n) text += some[random() % some.size()];
    expect_same(text);
  }
}

TEST(TextFeatures, OfRandomBytesAreTheSame) {
  const unsigned seed = std::random_device()();
  std::mt19937 random(seed);
  SCOPED_TRACE("seed " + std::to_string(seed));
  for (int round = 0; round < 1000; ++round) {
    std::string text(random() % 400, '\0');
    for (char& c : text) c = static_cast<char>(random());
    expect_same(text);
  }
}

}  // namespace
}  // namespace tophand::chat
