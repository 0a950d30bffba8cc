#include "cli/json5_edit.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace tophand::cli {
namespace {

using Path = std::vector<std::string>;

struct Row {
  const char* name;
  const char* before;
  Path path;
  const char* value;
  const char* after;
};
void PrintTo(const Row& row, std::ostream* out) {
  *out << row.name;
}

class SetMember : public testing::TestWithParam<Row> {};

TEST_P(SetMember, LeavesEveryOtherByteAsItWas) {
  const auto after = set_member(GetParam().before, GetParam().path, GetParam().value);
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(*after, GetParam().after);
  const auto found = find_member(*after, GetParam().path);
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_TRUE(*found);
  EXPECT_EQ(parse_json(**found).value(), parse_json(GetParam().value).value());
}

INSTANTIATE_TEST_SUITE_P(
    Json5, SetMember,
    testing::Values(
        Row{"FileThatIsNotThere", "", {"a", "b"}, "1", "{\n  \"a\": {\n    \"b\": 1\n  }\n}\n"},
        Row{"OnlyAComment", "// mine", {"a"}, "1", "// mine\n{\n  \"a\": 1\n}\n"},
        Row{"EmptyObject", "{}", {"a"}, "1", "{\n  \"a\": 1\n}"},
        Row{"EmptyInnerObject",
            "{\n  x: { }\n}",
            {"x", "a"},
            "1",
            "{\n  x: {\n    \"a\": 1\n  }\n}"},
        Row{"EmptyObjectWithAComment", "{ /* c */ }", {"a"}, "1", "{ /* c */\n  \"a\": 1 }"},
        Row{"OneLine", "{a: 1}", {"b"}, "2", "{a: 1, \"b\": 2}"},
        Row{"OneLineWithSpaces",
            "{ 'a': [1, {b: 2}] }",
            {"c"},
            "2",
            "{ 'a': [1, {b: 2}], \"c\": 2 }"},
        Row{"Lines", "{\n    \"a\": 1\n}\n", {"b"}, "2", "{\n    \"a\": 1,\n    \"b\": 2\n}\n"},
        Row{"Tabs",
            "{\n\t\"a\": {\n\t\t\"b\": 1\n\t}\n}\n",
            {"a", "c"},
            "2",
            "{\n\t\"a\": {\n\t\t\"b\": 1,\n\t\t\"c\": 2\n\t}\n}\n"},
        Row{"TrailingComma", "{\n  a: 1,\n}", {"b"}, "2", "{\n  a: 1,\n  \"b\": 2,\n}"},
        Row{"CommentBehindTheLastMember",
            "{\n  a: 1 // one }\n}",
            {"b"},
            "2",
            "{\n  a: 1, // one }\n  \"b\": 2\n}"},
        Row{"CommentBelowTheLastMember",
            "{\n  a: 1,\n  // b: 3,\n}",
            {"b"},
            "2",
            "{\n  a: 1,\n  // b: 3,\n  \"b\": 2,\n}"},
        Row{"CommentBehindALineOfMembers",
            "{b: 1, // x\n}",
            {"c"},
            "2",
            "{b: 1, // x\n  \"c\": 2,\n}"},
        Row{"ReplacesAValue",
            "{\"a\": {'b': 'x\\'y' /* c */, d: 2}}",
            {"a", "b"},
            "3",
            "{\"a\": {'b': 3 /* c */, d: 2}}"},
        Row{"TheLastOfTwoCounts", "{a: 1, a: 2}", {"a"}, "3", "{a: 1, a: 3}"},
        Row{"ObjectOnLines",
            "{\n  \"x\": 1\n}",
            {"p", "t"},
            "{\n  \"u\": 1\n}",
            "{\n  \"x\": 1,\n  \"p\": {\n    \"t\": {\n      \"u\": 1\n    }\n  }\n}"},
        Row{"WindowsLines",
            "{\r\n  \"a\": 1\r\n}\r\n",
            {"b"},
            "2",
            "{\r\n  \"a\": 1,\n  \"b\": 2\r\n}\r\n"},
        Row{"ByteOrderMark",
            "\xEF\xBB\xBF{\"a\": 1}",
            {"b"},
            "2",
            "\xEF\xBB\xBF{\"a\": 1, \"b\": 2}"},
        Row{"CommentOfAnOldMac",
            "// mine\r{\"a\": 1}",
            {"b"},
            "2",
            "// mine\r{\"a\": 1, \"b\": 2}"},
        Row{"NameWithEscapes",
            "{\"\\u0061\": {\"b\": 1}, '\\x63': 2}",
            {"a", "c"},
            "2",
            "{\"\\u0061\": {\"b\": 1, \"c\": 2}, '\\x63': 2}"},
        Row{"StringOverTwoWindowsLines",
            "{a: 'x\\\r\ny'}",
            {"b"},
            "2",
            "{a: 'x\\\r\ny', \"b\": 2}"},
        Row{"NumbersOfJson5",
            "{a: +.5, b: 0xFF, c: -Infinity}",
            {"d"},
            "2",
            "{a: +.5, b: 0xFF, c: -Infinity, \"d\": 2}"}),
    [](const auto& row) { return std::string(row.param.name); });

// Undoing what was done gives the bytes back, wherever the member was new.
TEST(RemoveMember, UndoesWhatSetMemberPutIn) {
  for (const char* before :
       {"{a: 1}", "{ 'a': [1, {b: 2}] }", "{\n    \"a\": 1\n}\n", "{\n  a: 1,\n}",
        "{\n  a: 1 // one }\n}", "{\n  a: 1,\n  // b: 3,\n}", "{}", "{\n  // c\n}"}) {
    const Path path{"new"};
    const auto set = set_member(before, path, "{\n  \"x\": [1, 2]\n}");
    ASSERT_TRUE(set) << before;
    const auto back = remove_member(*set, path);
    ASSERT_TRUE(back) << *set;
    EXPECT_EQ(*back, before);
  }
}

TEST(RemoveMember, TakesItsCommaAndItsLineAlong) {
  const auto without = [](std::string_view text) { return remove_member(text, Path{"b"}).value(); };
  EXPECT_EQ(without("{\n  a: 1,\n  b: 2,\n  c: 3\n}"), "{\n  a: 1,\n  c: 3\n}");
  EXPECT_EQ(without("{b: 2, a: 1}"), "{ a: 1}");
  EXPECT_EQ(without("{ // c\n b: 2 }"), "{ // c\n }");
  EXPECT_EQ(without("{a: 1}"), "{a: 1}");
  EXPECT_EQ(without("{a: {b: 1}}"), "{a: {b: 1}}");
}

TEST(FindMember, GivesTheTextOfTheValue) {
  const std::string_view text = "{a: {'b': /* one */ [1, 2] , c: \"x\"}, \"d\": 5}";
  EXPECT_EQ(find_member(text, Path{"a", "b"}).value(), "[1, 2]");
  EXPECT_EQ(find_member(text, Path{"a", "c"}).value(), "\"x\"");
  EXPECT_EQ(find_member(text, Path{"a", "e"}).value(), std::nullopt);
  EXPECT_EQ(find_member(text, Path{"d", "e"}).value(), std::nullopt);
}

TEST(SetMember, RefusesWhatIsNotJson5AndNamesTheLine) {
  struct Bad {
    const char* text;
    const char* says;
  };
  for (const Bad& bad :
       {Bad{"{\n a: 1\n b: 2}", "line 3: expected ',' or '}'"},
        Bad{"{a 1}", "line 1: expected ':'"}, Bad{"{a: }", "line 1: expected a value"},
        Bad{"{a: 'x\n'}", "line 2: expected the end of a string"},
        Bad{"{a: 1} x", "line 1: expected the end of the file"},
        Bad{"{a: [1", "line 1: expected ',' or ']'"},
        Bad{"{/* a: 1}", "line 1: expected the end of a comment"}}) {
    const auto result = set_member(bad.text, Path{"z"}, "1");
    ASSERT_FALSE(result) << bad.text;
    EXPECT_EQ(result.error().code, Code::kInvalid);
    EXPECT_EQ(result.error().message, bad.says);
  }
  EXPECT_EQ(set_member("[1]", Path{"z"}, "1").error().code, Code::kConflict);
  EXPECT_EQ(set_member("{a: 1}", Path{"a", "b"}, "1").error().code, Code::kConflict);
  EXPECT_EQ(set_member(std::string(1000, '['), Path{"z"}, "1").error().code, Code::kTooLarge);
}

}  // namespace
}  // namespace tophand::cli
