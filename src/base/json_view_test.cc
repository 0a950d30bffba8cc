#include "base/json_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/json.h"

namespace tophand {
namespace {

using testing::HasSubstr;

// The same text, as a tree and as what is read of it without one.
struct Both {
  explicit Both(std::string_view text)
      : tree(*parse_json(text)), document(*JsonDocument::parse(text)) {}
  Json tree;
  JsonDocument document;
};

// Everything that can be asked of a view, of all values in it, one a line.
void describe(JsonView value, const std::string& path, std::string& out) {
  // Of a tree repeated keys have gone.
  const std::size_t size = value.is_object() ? value.size() > 0 : value.size();
  out += path + " kind " + std::to_string(static_cast<int>(value.kind())) + " size " +
         std::to_string(size) + " text '" + std::string(value.string("none")) + "' bool " +
         std::to_string(value.boolean(true)) + std::to_string(value.boolean(false)) + " number " +
         std::to_string(value.number(-7.5)) + " integer " + std::to_string(value.integer(-7)) +
         (value.exceeds_int64() ? " exceeds" : "") + '\n';
  int at = 0;
  for (const JsonView item : value) describe(item, path + "/" + std::to_string(at++), out);
  if (!value.is_object()) return;
  const Json members = value.tree();
  for (const auto& [key, unused] : members.items()) describe(value[key], path + "." + key, out);
}

std::string described(JsonView value) {
  std::string out;
  describe(value, "", out);
  return out;
}

constexpr std::string_view kTexts[] = {
    R"({})",
    R"([])",
    R"("text")",
    R"(null)",
    R"(true)",
    R"(-12)",
    R"({"a":1,"b":[1,-2,3.5,null,true,false,"x",{"c":[]},[[]]],"":"empty key"})",
    R"({"big":9223372036854775807,"bigger":9223372036854775808,"huge":1e300,"low":-9223372036854775808})",
    R"({"twice":1,"other":2,"twice":3})",
    R"({"in":{"twice":{"a":1},"twice":{"b":2}}})",
    R"({"esc\u0061pe":"\u00e9\n\"\\\ud83d\ude00","nul":"\u0000"})",
    R"({"beyond":12345678901234567890123})",
    R"(["\ud83d half"])",
};

TEST(JsonView, SaysOfAParsedTextWhatItSaysOfTheTree) {
  for (const std::string_view text : kTexts) {
    const Both both(text);
    EXPECT_EQ(described(both.document.root()), described(both.tree)) << text;
    EXPECT_EQ(both.document.root().tree(), both.tree) << text;
    EXPECT_EQ(dump_json(both.document.root().tree()), dump_json(both.tree)) << text;
  }
}

// Values of every kind and any nesting that fits.
Json random_value(std::mt19937& random, int depth) {
  const auto below = [&](std::size_t n) { return std::size_t{random()} % n; };
  switch (below(depth > 0 ? 9 : 7)) {
    case 0:
      return nullptr;
    case 1:
      return below(2) == 0;
    case 2:
      return static_cast<std::int64_t>(random()) - (1 << 30);
    case 3:
      return (std::uint64_t{random()} << 32) | random();
    case 4:
      return static_cast<double>(random()) / 7 - 1e8;
    case 5:
    case 6:
      return std::string(below(40), static_cast<char>('a' + below(26)));
    case 7: {
      Json items = Json::array();
      for (std::size_t n = below(6); n > 0; --n) items.push_back(random_value(random, depth - 1));
      return items;
    }
    default: {
      Json members = Json::object();
      for (std::size_t n = below(6); n > 0; --n)
        members[std::string(below(3), 'k') + std::to_string(below(9))] =
            random_value(random, depth - 1);
      return members;
    }
  }
}

TEST(JsonView, AgreesWithTheTreeOfRandomTexts) {
  const unsigned seed = std::random_device()();
  std::mt19937 random(seed);
  for (int round = 0; round < 2000; ++round) {
    const std::string text = dump_json(random_value(random, 5));
    const Both both(text);
    ASSERT_EQ(described(both.document.root()), described(both.tree))
        << "seed " << seed << " " << text;
    ASSERT_EQ(both.document.root().tree(), both.tree) << "seed " << seed << " " << text;
  }
}

TEST(JsonView, OfNothingIsNothing) {
  const JsonView nothing;
  EXPECT_FALSE(nothing.is_there());
  EXPECT_TRUE(nothing.is_null());
  EXPECT_FALSE(nothing["key"].is_there());
  EXPECT_EQ(nothing.size(), 0u);
  EXPECT_EQ(nothing.string("so"), "so");
  EXPECT_EQ(nothing.integer(4), 4);
  EXPECT_FALSE(nothing.items().next().is_there());
  EXPECT_EQ(nothing.tree(), Json());
}

TEST(JsonView, TellsAMissingMemberFromOneThatIsNull) {
  const auto document = *JsonDocument::parse(R"({"null":null})");
  EXPECT_TRUE(document.root()["null"].is_there());
  EXPECT_FALSE(document.root()["missing"].is_there());
  EXPECT_TRUE(document.root()["missing"].is_null());
}

TEST(JsonDocument, SaysWhetherAKeyOfTheOutermostObjectMayStandThereTwice) {
  bool may_repeat = true;
  ASSERT_TRUE(JsonDocument::parse(R"({"a":{"b":1,"b":2}})", may_repeat));
  EXPECT_FALSE(may_repeat);
  ASSERT_TRUE(JsonDocument::parse(R"({"a":1,"b":2,"a":3})", may_repeat));
  EXPECT_TRUE(may_repeat);
}

TEST(JsonDocument, FailsInTheWordsOfParseJson) {
  const std::string deep(65, '[');
  const std::string nested = deep + std::string(65, ']');
  std::string many = "{";
  for (int i = 0; i <= 1024; ++i) many += "\"k" + std::to_string(i) + "\":0,";
  many.back() = '}';
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("[1,]"), nested, many, std::string("1 2"),
        std::string("\"a\xff\""), std::string("{}\0", 3)}) {
    const auto document = JsonDocument::parse(text);
    const auto tree = parse_json(text);
    ASSERT_EQ(document.has_value(), tree.has_value()) << text.substr(0, 80);
    EXPECT_EQ(document ? "" : document.error().message, tree ? "" : tree.error().message);
  }
  EXPECT_THAT(JsonDocument::parse(nested).error().message, HasSubstr("64 levels"));
  EXPECT_THAT(JsonDocument::parse(many).error().message, HasSubstr("1024 members"));
  EXPECT_EQ(JsonDocument::parse("[1]", {.bytes_max = 2}).error().code, Code::kTooLarge);
}

TEST(JsonDocument, MayMoveWhileItIsLookedAt) {
  auto first = JsonDocument::parse(R"({"a":["b"]})");
  const JsonView view = first->root();
  const JsonDocument second = *std::move(first);
  EXPECT_EQ(view["a"].items().next().string(), "b");
}

}  // namespace
}  // namespace tophand
