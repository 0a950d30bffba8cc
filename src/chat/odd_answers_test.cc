// What servers send that is odd, told apart from what is wrong: calls and their names in other
// forms, words that are no JSON, lines about loading. tests/conformance/shapes sends such streams
// through the program.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "chat/dialect.h"
#include "chat/ollama_upstream.h"
#include "chat/openai_upstream.h"
#include "chat/upstream_parts.h"
#include "chat/upstream_test_support.h"

namespace tophand::chat {
namespace {

// What a server with OpenAI's API says in these deltas.
std::string said(const std::vector<std::string>& deltas) {
  OpenAiStreamReader reader("id");
  std::vector<StreamEvent> events;
  for (const std::string& delta : deltas)
    reader.on_data(R"({"choices":[{"index":0,"delta":)" + delta + "}]}", events);
  reader.on_data("[DONE]", events);
  return in_words(events);
}

std::string call(const std::string& members) {
  return R"({"tool_calls":[)" + members + "]}";
}

constexpr const char* kLook = "started ; tool a look; json {\"p\":1}; end; finished end_turn 0+0/0";

TEST(CallsOfServers, ANameComesWholeGrowingInPiecesOrInEveryFragment) {
  const std::string arguments = call(R"({"index":0,"function":{"arguments":"{\"p\":1}"}})");
  EXPECT_EQ(said({call(R"({"index":0,"id":"a","function":{"name":"lo","arguments":""}})"),
                  call(R"({"index":0,"function":{"name":"ok"}})"), arguments}),
            kLook);
  EXPECT_EQ(
      said({call(R"({"index":0,"id":"a","function":{"name":"lo"}})"),
            call(R"({"index":0,"id":"a","function":{"name":"ok","arguments":""}})"), arguments}),
      kLook);
  EXPECT_EQ(said({call(R"({"index":0,"id":"a","function":{"name":"lo"}})"),
                  call(R"({"index":0,"function":{"name":"look"}})"), arguments}),
            kLook);
  EXPECT_EQ(said({call(R"({"index":0,"id":"a","function":{"name":"look"}})"),
                  call(R"({"index":0,"function":{"name":"look"}})"), arguments}),
            kLook);
}

TEST(AnswersOfServers, AnImageAloneIsNoEmptyAnswer) {
  const std::string image = R"("images":[{"type":"image_url","image_url":{"url":"u:1"}}])";
  EXPECT_EQ(said({R"({"content":"",)" + image + "}"}), "started ; failed upstream_error");
  EXPECT_EQ(said({R"({"content":"Here.",)" + image + "}"}),
            "started ; text Here.; finished end_turn 0+0/0");
}

TEST(CallsOfServers, OfOneIdAreToldApart) {
  OllamaStreamReader reader("id");
  std::vector<StreamEvent> events;
  const std::string call = R"({"id":"a","function":{"name":"f","arguments":{}}})";
  reader.on_line(R"({"message":{"tool_calls":[)" + call + "," + call + R"(]},"done":true})",
                 events);
  EXPECT_EQ(in_words(events),
            "started ; tool a f; json {}; end; tool a-1 f; json {}; end; finished end_turn 0+0/0");
}

TEST(AnswersOfServers, AWholeOneNeedsNoReasonToHaveEnded) {
  const std::string call = R"("tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}])";
  for (const char* reason : {"", R"(,"finish_reason":null)", R"(,"finish_reason":"")"}) {
    for (const auto& [message, words] :
         {std::pair{std::string(R"("content":"Hi.")"),
                    "started ; text Hi.; finished end_turn 0+0/0"},
          std::pair{call, "started ; tool a f; json {}; end; finished end_turn 0+0/0"},
          std::pair{std::string(R"("content":"")"), "started ; failed upstream_error"}}) {
      OpenAiStreamReader reader("id");
      std::vector<StreamEvent> events;
      reader.on_data(
          R"({"object":"chat.completion","choices":[{"message":{)" + message + "}" + reason + "}]}",
          events);
      reader.on_end(events);
      EXPECT_EQ(in_words(events), words) << reason;
    }
  }
}

TEST(AnswersOfServers, AWholeOneWithoutChoicesIsNone) {
  OpenAiStreamReader reader("id");
  std::vector<StreamEvent> events;
  reader.on_data(R"({"object":"chat.completion","choices":[]})", events);
  reader.on_end(events);
  EXPECT_EQ(in_words(events), "started ; failed upstream_error");
}

TEST(CallsOfServers, AnotherNameBehindArgumentsIsAnotherCall) {
  EXPECT_EQ(said({call(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{}"}})"),
                  call(R"({"index":0,"function":{"name":"g","arguments":"{}"}})")}),
            "started ; tool a f; json {}; end; tool id1 g; json {}; end; finished end_turn 0+0/0");
}

TEST(CallsOfServers, AnIdThatComesLateIsTheOneThatClientsGet) {
  EXPECT_EQ(said({call(R"({"index":0,"function":{"name":"look"}})"),
                  call(R"({"index":0,"id":"a","function":{"arguments":"{\"p\":1}"}})")}),
            kLook);
}

constexpr const char* kTwo =
    "started ; tool a f; json {\"p\":1}; end; tool b g; json {\"q\":2}; "
    "end; finished end_turn 0+0/0";

// ollama.com counts on between the fragments of one call.
TEST(CallsOfServers, AFragmentOfArgumentsUnderANewNumberGoesOnWithTheCallBeforeIt) {
  const std::string first =
      call(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{\"p\":1}"}})");
  const std::string second =
      call(R"({"index":0,"id":"b","function":{"name":"g","arguments":"{\"q\""}})");
  EXPECT_EQ(said({first, second, call(R"({"index":1,"function":{"arguments":":2}"}})")}),
            "started ; tool a f; json {\"p\":1}; end; tool b g; json {\"q\"; json :2}; end; "
            "finished end_turn 0+0/0");
  EXPECT_EQ(said({first, call(R"({"index":0,"id":"b","function":{"name":"g"}})"),
                  call(R"({"index":7,"id":"b","function":{"arguments":"{\"q\":2}"}})")}),
            kTwo);
}

// SGLang numbers the name by the tool's place in the request, the arguments by the call's.
TEST(CallsOfServers, TheNameMayHaveAnotherNumberThanTheArguments) {
  EXPECT_EQ(said({call(R"({"index":2,"id":"a","function":{"name":"look","arguments":""}})"),
                  call(R"({"index":0,"function":{"arguments":"{\"p\":1}"}})")}),
            kLook);
}

TEST(CallsOfServers, ThatAreCountedFromZeroInEachAnswerGetIdsOfTheirOwn) {
  EXPECT_EQ(said({call(R"({"index":0,"id":"0","function":{"name":"f","arguments":"{\"p\""}})"),
                  call(R"({"index":0,"id":"0","function":{"arguments":":1}"}})"),
                  call(R"({"index":1,"id":"1","function":{"name":"g","arguments":"{}"}})")}),
            "started ; tool id0 f; json {\"p\"; json :1}; end; tool id1 g; json {}; end; "
            "finished end_turn 0+0/0");
}

TEST(CallsOfServers, AnEntryThatSaysNothingIsNoCall) {
  for (const char* nothing :
       {R"({"content":"hi","function_call":{}})", R"({"content":"hi","tool_calls":{}})",
        R"({"content":"hi","tool_calls":[null]})",
        R"({"content":"hi","function_call":{"name":"","arguments":""}})",
        R"({"content":"hi","tool_calls":[{"index":0,"id":"","function":{"name":null}}]})"})
    EXPECT_EQ(said({nothing}), "started ; text hi; finished end_turn 0+0/0") << nothing;
}

TEST(CallsOfServers, OneCallMayStandWithoutAList) {
  const std::string one = R"({"id":"a","function":{"name":"look","arguments":"{\"p\":1}"}})";
  EXPECT_EQ(said({R"({"tool_calls":)" + one + "}"}), kLook);
  OllamaStreamReader reader("id");
  std::vector<StreamEvent> events;
  reader.on_line(R"({"message":{"tool_calls":)" + one + R"(},"done":true})", events);
  EXPECT_EQ(in_words(events), kLook);
}

TEST(CallsOfServers, ArgumentsThatWereEncodedTwiceAreTheObjectInTheString) {
  const std::string whole =
      call(R"({"index":0,"id":"a","function":{"name":"look","arguments":"\"{\\\"p\\\":1}\""}})");
  EXPECT_EQ(said({whole}), kLook);
  EXPECT_EQ(said({call(R"({"index":0,"id":"a","function":{"name":"look","arguments":"\"{\\\"p"}})"),
                  call(R"({"index":0,"function":{"arguments":"\\\":1}\""}})")}),
            kLook);
  EXPECT_EQ(said({whole, call(R"({"index":1,"id":"b","function":{"name":"g","arguments":"{}"}})")}),
            "started ; tool a look; json {\"p\":1}; end; tool b g; json {}; end; "
            "finished end_turn 0+0/0");
  // A string with something else in it is what it is, and fails later.
  EXPECT_EQ(said({call(R"({"index":0,"id":"a","function":{"name":"look","arguments":"\"p\""}})")}),
            "started ; tool a look; json \"p\"; end; finished end_turn 0+0/0");
}

// A client would run a call without arguments that the model never made.
TEST(CallsOfServers, ArgumentsThatAreNoObjectAreNotLeftOut) {
  EXPECT_EQ(said({call(R"({"id":"a","function":{"name":"look","arguments":[1]}})")}),
            "started ; tool a look; json [1]; end; finished end_turn 0+0/0");
  OllamaStreamReader reader("id");
  std::vector<StreamEvent> events;
  reader.on_line(
      R"({"message":{"tool_calls":[{"function":{"name":"look","arguments":[1]}}]},"done":true})",
      events);
  EXPECT_EQ(in_words(events), "started ; tool id0 look; json [1]; end; finished end_turn 0+0/0");
}

TEST(TextOfARefusal, IsTextOfAnAnswerThatWasRefused) {
  OpenAiStreamReader reader("");
  std::vector<StreamEvent> events;
  reader.on_data(R"({"choices":[{"delta":{"refusal":"I can't."}}]})", events);
  reader.on_data(R"({"choices":[{"delta":{},"finish_reason":"stop"}]})", events);
  reader.on_data("[DONE]", events);
  EXPECT_EQ(in_words(events), "started ; text I can't.; finished refusal 0+0/0");
}

// Claude with `display: omitted`. Its clients send the signature back; to others it means nothing.
TEST(AThoughtThatIsNotShown, IsABlockWhereItsSignatureIs) {
  const auto written = [](Dialect dialect) {
    const auto writer = make_stream_writer(dialect, {.id = "resp_1", .model = "m"});
    std::string out;
    for (const StreamEvent& event : std::vector<StreamEvent>{
             Started{}, ThinkingDelta{"", "c2ln"}, BlockEnd{}, TextDelta{"a"}, Finished{}})
      writer->on(event, 0, out);
    return out;
  };
  EXPECT_NE(written(Dialect::kAnthropicMessages).find("c2ln"), std::string::npos);
  EXPECT_EQ(written(Dialect::kOpenAiResponses).find("reasoning_text"), std::string::npos);
  Answer answer;
  answer.blocks = {ThinkingBlock{"", "c2ln"}, TextBlock{"a"}};
  const std::string whole =
      write_answer(Dialect::kOpenAiResponses, {.id = "resp_1", .model = "m"}, answer);
  EXPECT_EQ(whole.find("reasoning_text"), std::string::npos);
  EXPECT_NE(whole.find(R"("id":"msg_1_0")"), std::string::npos) << whole;
}

TEST(ParseAnswerJson, ReadsWhatPythonWritesForNumbersThatAreNone) {
  const auto read =
      parse_answer_json(R"({"a":NaN,"b":[-Infinity,Infinity,1],"c":"NaN \" Infinity \\","d":-1})");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(dump_json(read->root().tree()),
            R"({"a":null,"b":[null,null,1],"c":"NaN \" Infinity \\","d":-1})");
  EXPECT_FALSE(parse_answer_json(R"({"a":NaN)"));
  EXPECT_FALSE(parse_answer_json(R"({"a":nan})"));
  EXPECT_FALSE(parse_answer_json("\\"));
}

TEST(PairJoiner, JoinsTheHalvesThatAreEndAndBeginningOfStrings) {
  PairJoiner joiner;
  EXPECT_EQ(joiner.joined(R"({"a":"x\ud83d","b":1})"), R"({"a":"x","b":1})");
  EXPECT_EQ(joiner.joined(R"({"choices":[]})"), R"({"choices":[]})");
  EXPECT_EQ(joiner.joined(R"({"a":"\uDE00 y"})"), R"({"a":"\ud83d\uDE00 y"})");
  EXPECT_EQ(joiner.joined(R"({"a":"\ude00"})"), R"({"a":"\ude00"})") << "it has been used";
  for (const char* untouched :
       {R"("\ud83d\ude00")", R"("\ud83d x")", R"("x \ude00")", R"("\\ud83d")", R"("\u00e9")",
        R"("\ud83)", R"("\)", R"("\"\ude00")", ""})
    EXPECT_EQ(joiner.joined(untouched), untouched);
  EXPECT_EQ(joiner.joined(R"("\ud83d\ude00\ud83d")"), R"("\ud83d\ude00")");
  EXPECT_EQ(joiner.joined(R"("\"\ude00")"), R"("\"\ude00")") << "a quote in a string";
  EXPECT_EQ(joiner.joined(R"("\ude01","\ud83e")"), R"("\ud83d\ude01","")");
  EXPECT_EQ(joiner.joined(R"("\ude02")"), R"("\ud83e\ude02")");
}

TEST(CharactersCutInTwo, ArriveWhole) {
  EXPECT_EQ(
      said({R"({"content":"a\ud83d"})", R"({"role":"assistant"})", R"({"content":"\ude00!"})"}),
      "started ; text a; text \xF0\x9F\x98\x80!; finished end_turn 0+0/0");
}

TEST(LogProbabilities, ThatAreNoNumbersSpoilNoAnswer) {
  OpenAiStreamReader reader("");
  std::vector<StreamEvent> events;
  reader.on_data(R"({"choices":[{"delta":{"content":"Hi"},"logprobs":{"content":[{"logprob":)"
                 R"(-Infinity}]},"finish_reason":"stop"}]})",
                 events);
  reader.on_data("[DONE]", events);
  EXPECT_EQ(in_words(events), "started ; text Hi; finished end_turn 0+0/0");
}

std::string told(const std::vector<std::string>& lines) {
  OllamaStreamReader reader("id");
  std::vector<StreamEvent> events;
  for (const std::string& line : lines) reader.on_line(line, events);
  reader.on_end(events);
  return in_words(events);
}

// Ollama answers an empty conversation so. To any other it is no answer.
TEST(LinesAboutLoading, AreNoAnswerAndNoEndOfOne) {
  const std::string text = R"({"message":{"content":"Hi"},"done":false})";
  const std::string end = R"({"message":{"content":""},"done":true,"done_reason":"stop"})";
  for (const char* reason : {"load", "unload"}) {
    const std::string line =
        std::string(R"({"message":{"content":""},"done":true,"done_reason":")") + reason + "\"}";
    EXPECT_EQ(told({line}), "started ; failed upstream_error");
    EXPECT_EQ(told({text, line}), "started ; text Hi; failed upstream_error");
    EXPECT_EQ(told({line, text, end}), "started ; text Hi; finished end_turn 0+0/0");
  }
  EXPECT_EQ(told({text, end, end}), "started ; text Hi; finished end_turn 0+0/0");
}

TEST(LinesOfOllama, MaySayThatThereIsNoError) {
  for (const char* none : {"null", R"("")", "{}", "false"})
    EXPECT_EQ(
        told({std::string(R"({"message":{"content":"Hi"},"done":true,"error":)") + none + "}"}),
        "started ; text Hi; finished end_turn 0+0/0");
}

}  // namespace
}  // namespace tophand::chat
