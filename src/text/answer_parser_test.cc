#include "text/answer_parser.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace tophand::text {
namespace {

struct AnswerRow {
  const char* name;
  TemplateKind kind;
  const char* answer;
  const char* text;
  std::vector<std::pair<std::string, std::string>> calls;
  const char* thinking = "";
};

// As after a prompt that offered tools and, in Qwen3.5's way, opened the thoughts.
AnswerOptions reads(TemplateKind kind) {
  return answer_options(
      kind, {{.role = Role::kUser, .text = "q"}},
      {{R"({"type":"function","function":{"name":"f","parameters":{"type":"object",)"
        R"("properties":{"count":{"type":"integer"},"text":{"type":"string"},)"
        R"("yes":{"type":"boolean"},"list":{"type":"array"},)"
        R"("maybe":{"type":["string","null"]},"object":{"type":"object"}}}}})"}},
      {});
}

const std::vector<AnswerRow>& answer_rows() {
  constexpr auto kQwen = TemplateKind::kQwen25;
  constexpr auto kLlama = TemplateKind::kLlama3;
  static const std::vector<AnswerRow> rows{
      {"plain text", kQwen, "Just text.", "Just text.", {}},
      {"one call",
       kQwen,
       "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>",
       "",
       {{"f", "{\"a\":1}"}}},
      {"text before two calls",
       kQwen,
       "Looking.\n<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>\n"
       "<tool_call>{\"name\":\"g\"}</tool_call>",
       "Looking.",
       {{"f", "{}"}, {"g", "{}"}}},
      {"doubled braces",
       TemplateKind::kQwen25Braces,
       "<tool_call>\n{{\"name\": \"f\", \"arguments\": {\"a\": {\"b\": 1}}}}\n</tool_call>",
       "",
       {{"f", "{\"a\":{\"b\":1}}"}}},
      {"arguments in a string",
       kQwen,
       "<tool_call>{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}</tool_call>",
       "",
       {{"f", "{\"a\":1}"}}},
      {"closing tag left out",
       kQwen,
       "<tool_call>\n{\"name\":\"f\",\"arguments\":{}}",
       "",
       {{"f", "{}"}}},
      {"not JSON", kQwen, "a <tool_call>nope</tool_call> b", "a <tool_call>nope</tool_call> b", {}},
      {"cut off", kQwen, "<tool_call>\n{\"name\":\"f\"", "<tool_call>\n{\"name\":\"f\"", {}},
      {"no name",
       kQwen,
       "<tool_call>{\"arguments\":{}}</tool_call>",
       "<tool_call>{\"arguments\":{}}</tool_call>",
       {}},
      {"a family without tools",
       TemplateKind::kSmolLm2,
       "<tool_call>{\"name\":\"f\"}</tool_call>",
       "<tool_call>{\"name\":\"f\"}</tool_call>",
       {}},
      {"llama call",
       kLlama,
       "{\"name\": \"f\", \"parameters\": {\"a\": \"}\"}}",
       "",
       {{"f", "{\"a\":\"}\"}"}}},
      {"llama python tag, two calls",
       kLlama,
       "<|python_tag|>{\"name\":\"f\",\"parameters\":{}}; {\"name\":\"g\",\"parameters\":{}}",
       "",
       {{"f", "{}"}, {"g", "{}"}}},
      {"llama JSON that is no call", kLlama, "{\"answer\": 42}", "{\"answer\": 42}", {}},
      {"llama call inside text", kLlama, "Use {\"name\":\"f\"}", "Use {\"name\":\"f\"}", {}},
      {"a closing tag inside an argument",
       kQwen,
       "<tool_call>{\"name\":\"f\",\"arguments\":{\"a\":\"</tool_call>\"}}</tool_call>",
       "",
       {{"f", "{\"a\":\"</tool_call>\"}"}}},
      {"a stray quote does not hide the next call",
       kQwen,
       "<tool_call>{\"name</tool_call><tool_call>{\"name\":\"g\"}</tool_call>",
       "<tool_call>{\"name</tool_call>",
       {{"g", "{}"}}},
      {"text behind a call",
       kQwen,
       "<tool_call>{\"name\":\"f\"}</tool_call>\n\nSo.",
       "So.",
       {{"f", "{}"}}},
      {"a list of calls",
       TemplateKind::kFalcon3,
       "<tool_call>\n[\n  {\"name\": \"f\", \"arguments\": {\"a\": 1}},\n  {\"name\": \"g\", "
       "\"arguments\": {}}\n]\n</tool_call>",
       "",
       {{"f", "{\"a\":1}"}, {"g", "{}"}}},
      {"OpenAI's form",
       TemplateKind::kFalcon3,
       "<tool_call>[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]</"
       "tool_call>",
       "",
       {{"f", "{}"}}},
      {"thoughts",
       TemplateKind::kQwen3,
       "<think>\nHm. </thin\n</think>\n\nYes.",
       "Yes.",
       {},
       "Hm. </thin"},
      {"no thoughts", TemplateKind::kQwen3, "<think>\n\n</think>\n\nYes.", "Yes.", {}},
      {"thoughts only at the beginning", TemplateKind::kQwen3, "Use <think>.", "Use <think>.", {}},
      {"thoughts cut off", TemplateKind::kQwen3, "<think>\nHm", "", {}, "Hm"},
      {"a call that is only thought of",
       TemplateKind::kQwen3,
       "<think><tool_call>{\"name\":\"f\"}</tool_call></think>No.",
       "No.",
       {},
       "<tool_call>{\"name\":\"f\"}</tool_call>"},
      {"thoughts that the prompt opened",
       TemplateKind::kQwen35,
       "I need it.\n</think>\n\nLooking.\n\n<tool_call>\n<function=f>\n<parameter=count>\n3\n"
       "</parameter>\n<parameter=text>\n3\n</parameter>\n</function>\n</tool_call>",
       "Looking.",
       {{"f", "{\"count\":3,\"text\":\"3\"}"}},
       "I need it."},
      {"XML values of every type",
       TemplateKind::kQwen35,
       "</think><tool_call>\n<function=f>\n<parameter=yes>\nTrue\n</"
       "parameter>\n<parameter=list>\n[1, "
       "\"x\"]\n</parameter>\n<parameter=maybe>\nnull\n</parameter>\n<parameter=text>\nnull\n"
       "</parameter>\n<parameter=unknown>\n5\n</parameter>\n<parameter=object>\n{\"k\": 1}\n"
       "</parameter>\n<parameter=count>\nmany\n</parameter>\n</function>\n</tool_call>",
       "",
       {{"f",
         "{\"yes\":true,\"list\":[1,\"x\"],\"maybe\":null,\"text\":\"null\",\"unknown\":\"5\","
         "\"object\":{\"k\":1},\"count\":\"many\"}"}}},
      {"XML values that hold the tags themselves",
       TemplateKind::kQwen35,
       "</think><tool_call>\n<function=f>\n<parameter=text>\na</parameter>b</tool_call>\nc\n"
       "</parameter>\n</function>\n</tool_call>",
       "",
       {{"f", "{\"text\":\"a</parameter>b</tool_call>\\nc\"}"}}},
      {"XML without arguments",
       TemplateKind::kQwen35,
       "</think><tool_call>\n<function=g>\n</function>\n</tool_call>\n<tool_call>\n<function=g>\n"
       "</function>\n</tool_call>",
       "",
       {{"g", "{}"}, {"g", "{}"}}},
      {"XML that does not end",
       TemplateKind::kQwen35,
       "</think><tool_call>\n<function=g>",
       "<tool_call>\n<function=g>",
       {}},
      {"llama 3.1's own tools",
       TemplateKind::kLlama31,
       "<|python_tag|>brave_search.call(query=\"a, b=\\\"c\\\"\", count=3)",
       "",
       {{"brave_search", "{\"query\":\"a, b=\\\"c\\\"\",\"count\":3}"}}},
      {"mistral",
       TemplateKind::kMistralV3,
       "[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {\"a\": \"]\"}}, {\"name\": \"g\", "
       "\"arguments\": {}, \"id\": \"x\"}]",
       "",
       {{"f", "{\"a\":\"]\"}"}, {"g", "{}"}}},
      {"mistral, text around",
       TemplateKind::kMistralV3,
       "Look: [TOOL_CALLS] [{\"name\":\"f\"}] So.",
       "Look:\nSo.",
       {{"f", "{}"}}},
      {"mistral, no list", TemplateKind::kMistralV3, "[TOOL_CALLS] none", "[TOOL_CALLS] none", {}},
  };
  return rows;
}

TEST(ParseAnswer, FindsThoughtsAndToolCallsAndLeavesTheRestAsText) {
  for (const AnswerRow& row : answer_rows()) {
    const ParsedAnswer parsed = parse_answer(row.kind, reads(row.kind), row.answer);
    EXPECT_EQ(parsed.text, row.text) << row.name;
    EXPECT_EQ(parsed.thinking, row.thinking) << row.name;
    ASSERT_EQ(parsed.tool_calls.size(), row.calls.size()) << row.name;
    for (std::size_t i = 0; i < row.calls.size(); ++i) {
      EXPECT_EQ(parsed.tool_calls[i].name, row.calls[i].first) << row.name;
      EXPECT_EQ(parsed.tool_calls[i].arguments_json, row.calls[i].second) << row.name;
    }
  }
}

std::vector<AnswerPart> read(const AnswerRow& row, const std::vector<std::size_t>& cuts) {
  AnswerParser parser(row.kind, reads(row.kind));
  std::vector<AnswerPart> parts, out;
  std::string_view rest = row.answer;
  for (const std::size_t cut : cuts) {
    parser.push(rest.substr(0, cut), parts);
    rest.remove_prefix(std::min(cut, rest.size()));
  }
  parser.push(rest, parts);
  parser.finish(parts);
  for (AnswerPart& part : parts) {  // neighbouring pieces of one kind joined
    const bool text = part.kind != AnswerPart::Kind::kCall;
    if (text && !out.empty() && out.back().kind == part.kind) out.back().text += part.text;
    else out.push_back(std::move(part));
  }
  return out;
}

void expect_same(const std::vector<AnswerPart>& a, const std::vector<AnswerPart>& b,
                 const char* name) {
  ASSERT_EQ(a.size(), b.size()) << name;
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].kind, b[i].kind) << name;
    EXPECT_EQ(a[i].text, b[i].text) << name;
    EXPECT_EQ(a[i].call.name, b[i].call.name) << name;
    EXPECT_EQ(a[i].call.arguments_json, b[i].call.arguments_json) << name;
  }
}

TEST(ParseAnswer, GivesTheSameHoweverTheAnswerIsCut) {
  constexpr std::uint64_t kSeed = 20261126;
  SCOPED_TRACE(kSeed);
  SplitMix64 random(kSeed);
  for (const AnswerRow& row : answer_rows()) {
    const auto whole = read(row, {});
    const std::size_t size = std::string_view(row.answer).size();
    expect_same(read(row, std::vector<std::size_t>(size, 1)), whole, row.name);
    for (std::size_t cut = 1; cut < size; ++cut) expect_same(read(row, {cut}), whole, row.name);
    for (int round = 0; round < 50; ++round) {
      std::vector<std::size_t> cuts;
      for (std::size_t at = 0; at < size; at += cuts.back()) cuts.push_back(random.next() % 12);
      expect_same(read(row, cuts), whole, row.name);
    }
  }
}

TEST(ParseAnswer, TextIsNotHeldLongerThanNeeded) {
  AnswerParser parser(TemplateKind::kQwen25, reads(TemplateKind::kQwen25));
  const auto push = [&parser](std::string_view text) {
    std::vector<AnswerPart> parts;
    parser.push(text, parts);
    return parts.empty() ? std::string() : parts[0].text;
  };
  EXPECT_EQ(push("One"), "One");
  EXPECT_EQ(push(" two "), " two");
  EXPECT_EQ(push("<tool"), "");
  EXPECT_EQ(push("box>"), " <toolbox>");
}

TEST(ParseAnswer, WithoutToolsACallIsText) {
  const std::string answer = "<tool_call>{\"name\":\"f\"}</tool_call> ";
  const ParsedAnswer parsed = parse_answer(TemplateKind::kQwen25, {}, answer);
  EXPECT_EQ(parsed.text, answer);
  EXPECT_TRUE(parsed.tool_calls.empty());
}

// A model that runs wild must not make its reader take quadratic time.
TEST(ParseAnswer, AMebibyteOfBeginningsIsReadInOneGo) {
  for (const char* bit : {"<tool_call>{\"</tool_call>", "<tool_call>\n<function=f>", "<tool_call>",
                          "<", " ", "\n<"}) {
    std::string answer;
    while (answer.size() < (1u << 20)) answer += bit;
    AnswerParser parser(TemplateKind::kQwen25, reads(TemplateKind::kQwen25));
    std::vector<AnswerPart> parts;
    std::size_t size = 0;
    for (std::size_t at = 0; at < answer.size(); at += 7) parser.push(answer.substr(at, 7), parts);
    parser.finish(parts);
    for (const AnswerPart& part : parts) size += part.text.size();
    EXPECT_EQ(size, answer.size()) << bit;
  }
}

}  // namespace
}  // namespace tophand::text
