#include "text/printed_calls.h"

#include <gtest/gtest.h>

namespace tophand::text {
namespace {

const std::vector<Tool> kTools{
    {R"({"type":"function","function":{"name":"read","parameters":{"properties":)"
     R"({"path":{"type":"string"},"n":{"type":"integer"}}}}})"},
    {R"({"type":"function","function":{"name":"ls","parameters":{}}})"},
};

// "text|read {...}|" and the like: neighbouring text joined, broken calls between "!".
std::string shown(const std::vector<PrintedPart>& parts) {
  std::string out;
  bool in_text = false;
  for (const PrintedPart& part : parts) {
    const bool is_text = part.kind == PrintedPart::Kind::kText;
    if (in_text && !is_text) out += '|';
    in_text = is_text;
    if (is_text) out += part.text;
    else if (part.kind == PrintedPart::Kind::kBroken) out += "!" + part.text + "!|";
    else out += part.call.name + " " + part.call.arguments_json + "|";
  }
  return out;
}

std::string read(std::string_view answer, std::size_t piece) {
  PrintedCalls calls(kTools);
  std::vector<PrintedPart> parts;
  for (std::size_t at = 0; at < answer.size(); at += piece)
    calls.push(answer.substr(at, piece), parts);
  calls.finish(parts);
  return shown(parts);
}

struct Case {
  const char *name, *answer, *parts;
};
class PrintedCall : public testing::TestWithParam<Case> {};

TEST_P(PrintedCall, IsFoundHoweverTheAnswerIsCut) {
  const std::string_view answer = GetParam().answer;
  for (std::size_t piece = 1; piece <= answer.size(); ++piece)
    ASSERT_EQ(read(answer, piece), GetParam().parts) << "pieces of " << piece;
}

constexpr const char* kCall = R"(read {"path":"a"}|)";

INSTANTIATE_TEST_SUITE_P(
    Answers, PrintedCall,
    testing::Values(
        Case{"Prose", "Just a {text} with [brackets] and `code`.",
             "Just a {text} with [brackets] and `code`."},
        Case{"BareJson", R"({"name": "read", "arguments": {"path": "a"}})", kCall},
        Case{"ProseBeforeIt",
             "I read it.\n\n{\"name\": \"read\", \"arguments\": {\"path\": \"a\"}}",
             "I read it.\n\n|read {\"path\":\"a\"}|"},
        Case{"ProseBehindIt",
             "{\"name\": \"read\", \"arguments\": {\"path\": \"a\"}}\n\nThat is it.",
             "read {\"path\":\"a\"}|That is it."},
        Case{"JsonFence", "```json\n{\"name\": \"read\", \"arguments\": {\"path\": \"a\"}}\n```\n",
             kCall},
        Case{"PlainFence",
             "So:\n```\n{\n  \"name\": \"read\",\n  \"arguments\": {\"path\": \"a\"}\n}\n```",
             "So:\n|read {\"path\":\"a\"}|"},
        Case{"FenceThatIsNeverClosed",
             "```json\n{\"name\":\"read\",\"arguments\":{\"path\":\"a\"}}", kCall},
        Case{"MarksInAFence", "```xml\n<tool_call>\n{\"name\": \"ls\"}\n</tool_call>\n```\nDone",
             "ls {}|Done"},
        Case{"AnotherFamilysMark", "[TOOL_CALLS][{\"name\": \"ls\", \"arguments\": {}}]", "ls {}|"},
        Case{"PythonTag", "<|python_tag|>{\"name\": \"ls\", \"parameters\": {}}", "ls {}|"},
        Case{"ToolsMark", "<tools>\n{\"name\": \"ls\", \"arguments\": {}}\n</tools>", "ls {}|"},
        Case{"XmlWithoutItsMark", "<function=read>\n<parameter=n>\n3\n</parameter>\n</function>",
             "read {\"n\":3}|"},
        Case{"Several", "{\"name\":\"ls\",\"arguments\":{}}\n{\"name\":\"ls\",\"arguments\":{}}",
             "ls {}|ls {}|"},
        Case{"AList",
             "[\n {\"name\":\"ls\",\"arguments\":{}},\n {\"name\":\"ls\",\"arguments\":{}}\n]",
             "ls {}|ls {}|"},
        Case{"OpenAisForm",
             R"({"type":"function","function":{"name":"read","arguments":"{\"path\":\"a\"}"}})",
             kCall},
        Case{"InventedKeys", R"({"tool": "read", "args": {"path": "a"}})", kCall},
        Case{"DoubledBraces", R"({{"name": "read", "arguments": {"path": "a"}}})", kCall},
        Case{"LineBreaksInAString", "{\"name\":\"read\",\"arguments\":{\"path\":\"a\nb\"}}",
             R"(read {"path":"a\nb"}|)"},
        Case{"EscapesAndUtf8", R"({"name":"read","arguments":{"path":"\u00e4\"}é{"}})",
             "read {\"path\":\"\u00e4\\\"}\u00e9{\"}|"},
        // Of a tool that was not offered: what the caller does with them is its business.
        Case{"AnotherName", "```json\n{\"name\": \"write\", \"arguments\": {}}\n```", "write {}|"},
        Case{"MarkedOther", "<tool_call>\n{\"name\": \"write\"}\n</tool_call>", "write {}|"},
        // --- no calls ---
        Case{"OtherJson", "{\"path\": \"a\"}\n", "{\"path\": \"a\"}\n"},
        Case{"AnotherTable", "{\"name\": \"Ann\", \"arguments\": 1, \"age\": 3}",
             "{\"name\": \"Ann\", \"arguments\": 1, \"age\": 3}"},
        Case{"APackageFile", "```json\n{\"name\": \"ls\", \"version\": \"1\"}\n```",
             "```json\n{\"name\": \"ls\", \"version\": \"1\"}\n```"},
        Case{"AMentionOfTheMark", "Use <tool_call> for that.", "Use <tool_call> for that."},
        Case{"JsonWithinALine", "So [{\"name\": \"ls\", \"arguments\": {}}]",
             "So [{\"name\": \"ls\", \"arguments\": {}}]"},
        Case{"CodeInAFence", "```python\n{\"name\": 1}\n```", "```python\n{\"name\": 1}\n```"},
        Case{"ALink", "[a](b)\n[TOOLS]", "[a](b)\n[TOOLS]"},
        Case{"XmlOfAnother", "<function=f>1</function>", "<function=f>1</function>"},
        // --- broken ones ---
        Case{"BrokenJson", "{\"name\": \"read\", \"arguments\": {\"path\": }}",
             "!{\"name\": \"read\", \"arguments\": {\"path\": }}!|"},
        Case{"MissingBrace", "{\"name\": \"read\", \"arguments\": {\"path\": \"a\"}",
             "!{\"name\": \"read\", \"arguments\": {\"path\": \"a\"}!|"},
        Case{"MarkedBrokenJson", "<tool_call>\n{\"name\": read}\n</tool_call>",
             "!<tool_call>\n{\"name\": read}!|"}),
    [](const auto& each) { return std::string(each.param.name); });

TEST(PrintedCalls, LetsTextThroughAtOnce) {
  PrintedCalls calls(kTools);
  std::vector<PrintedPart> parts;
  calls.push("Hello, this is ", parts);
  EXPECT_EQ(shown(parts), "Hello, this is ");
  calls.push("JSON:\n{\"pa", parts);
  EXPECT_EQ(shown(parts), "Hello, this is JSON:\n");
  calls.push("x", parts);  // no call begins with a key "pax"
  EXPECT_EQ(shown(parts), "Hello, this is JSON:\n{\"pax");
}

TEST(PrintedCalls, ReadsALongCallInTimeLinearInItsLength) {
  PrintedCalls calls(kTools);
  std::vector<PrintedPart> parts;
  calls.push(R"({"name": "read", "arguments": {"path": ")", parts);
  for (int i = 0; i < 200'000; ++i) calls.push("x", parts);
  EXPECT_TRUE(parts.empty());
  for (int i = 0; i < 100'000; ++i) calls.push("x", parts);  // over the limit: text after all
  EXPECT_FALSE(parts.empty());
  calls.finish(parts);
  EXPECT_EQ(shown(parts).size(), 40 + 300'000u);
}

}  // namespace
}  // namespace tophand::text
