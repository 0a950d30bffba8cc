#include "base/json_text.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "base/random.h"

namespace tophand {
namespace {

TEST(JsonText, WritesObjectsAndListsWithTheirCommas) {
  std::string out;
  JsonText json(out);
  json.open('{').key("a").number(-1).key("b").open('[').string("x").null().boolean(true);
  json.open('{').close('}').open('[').close(']').close(']').key("c").raw("0.5").close('}');
  EXPECT_EQ(out, R"({"a":-1,"b":["x",null,true,{},[]],"c":0.5})");
}

// The library's writer is right. Lengths up to three words of eight bytes, each special byte at
// each place, beside random ones.
TEST(JsonText, StringsAreWhatTheLibraryWrites) {
  const auto expect_same = [](const std::string& text) {
    std::string out;
    append_json_string(text, out);
    EXPECT_EQ(out, Json(text).dump(-1, ' ', false, Json::error_handler_t::replace));
  };
  for (std::size_t size = 0; size <= 24; ++size)
    for (std::size_t at = 0; at < size; ++at)
      for (const char c : {'"', '\\', '\n', '\0', '\x1f', ' ', '\x7f', '\x80', '\xff', '!', '#'}) {
        std::string text(size, 'a');
        text[at] = c;
        expect_same(text);
      }
  SplitMix64 random(20261127);
  for (int round = 0; round < 20'000 && !HasFailure(); ++round) {
    std::string text;
    constexpr std::string_view kBytes = "ab\"\\\n\x01\x1f \x7f\xc3\xa9\xe2\x82\xac\xff!#[]";
    for (std::uint64_t left = random.next() % 40; left > 0; --left)
      text += kBytes[random.next() % kBytes.size()];
    expect_same(text);
  }
  // Longer than what is written at once, escapes on both sides of every seam.
  for (const char c : {'"', '\n', '\x1f', 'a'})
    for (const std::size_t size : {511u, 512u, 513u, 1024u, 5000u})
      expect_same(std::string(size, c));
}

}  // namespace
}  // namespace tophand
