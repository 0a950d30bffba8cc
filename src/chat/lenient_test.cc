// What real clients send and a stricter reader would refuse, one row a habit: Claude Code,
// OpenClaw, Codex, opencode and the SDKs as they were recorded in November 2026 (shortened).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>
#include <string>

#include "chat/dialect.h"
#include "chat/test_support.h"

namespace tophand::chat {
namespace {

constexpr auto kAnthropic = Dialect::kAnthropicMessages;
constexpr auto kChat = Dialect::kOpenAiChat;
constexpr auto kResponses = Dialect::kOpenAiResponses;
constexpr auto kOllama = Dialect::kOllamaChat;

struct Habit {
  const char* name;
  Dialect dialect;
  const char* body;
  const char* conversation;
};
void PrintTo(const Habit& habit, std::ostream* out) {
  *out << habit.name;
}

class Lenient : public testing::TestWithParam<Habit> {};

TEST_P(Lenient, TakesWhatClientsSend) {
  EXPECT_EQ(shown(parsed(GetParam().dialect, GetParam().body).messages), GetParam().conversation);
}

#define HI R"({"role":"user","content":"hi"})"

INSTANTIATE_TEST_SUITE_P(
    Clients, Lenient,
    testing::Values(
        Habit{"UnknownFieldsOfMessages", kAnthropic,
              R"({"model":"m","max_tokens":9,"context_management":{"edits":[{"type":"x"}]},)"
              R"("output_config":{"effort":"medium"},"thinking":{"type":"between_tools"},)"
              R"("safeguards":{},"speed":"fast","service_tier":"auto","diagnostics":{},)"
              R"("billing_policy":1,"messages":[)" HI "]}",
              "user: 'hi'"},
        Habit{"UnknownFieldsOfChat", kChat,
              R"({"model":"m","client_metadata":{},"prompt_cache_key":"k","store":false,)"
              R"("reasoning":{"effort":"low"},"service_tier":"auto","user":"u","verbosity":"low",)"
              R"("prediction":null,"modalities":["text"],"messages":[)" HI "]}",
              "user: 'hi'"},
        Habit{"UnknownFieldsOfOllama", kOllama,
              R"({"model":"m","truncate":false,"shift":false,"think":false,"options":{},)"
              R"("messages":[)" HI "]}",
              "user: 'hi'"},
        Habit{"CallsWithFreeText", kChat,
              R"({"model":"m","messages":[)" HI R"(,{"role":"assistant","tool_calls":[)"
              R"({"id":"c","type":"custom","custom":{"name":"sh","input":"ls"}}]},)"
              R"({"role":"tool","tool_call_id":"c","content":"a"}]})",
              "user: 'hi' | assistant: call sh#c{\"input\":\"ls\"} | user: result #c'a'"},
        Habit{"ToolsThatASearchFound", kAnthropic,
              R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":[)"
              R"({"type":"tool_result","tool_use_id":"c","content":[)"
              R"({"type":"tool_reference","tool_name":"sh"}]}]}]})",
              "user: result #c'The tool sh can be called.'"},
        Habit{"SystemInsideMessagesAsText", kAnthropic,
              R"({"model":"m","max_tokens":9,"system":"s","messages":[)" HI
              R"(,{"role":"system","content":"env"}]})",
              "system: 's' | user: 'hi' | system: 'env'"},
        Habit{"SystemInsideMessagesAsBlocks", kAnthropic,
              R"({"model":"m","max_tokens":9,"messages":[{"role":"system","content":[{"type":)"
              R"("text","text":"env","cache_control":{"type":"ephemeral"}}],"output_config":)"
              R"({"effort":"medium"}},)" HI "]}",
              "system: 'env' | user: 'hi'"},
        Habit{"UserTextBehindAToolResult", kAnthropic,
              R"({"model":"m","max_tokens":9,"messages":[)" HI
              R"(,{"role":"assistant","content":[{"type":"tool_use","id":"toolu3my","name":"f",)"
              R"("input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":)"
              R"("toolu3my","is_error":false,"cache_control":{"type":"ephemeral"},"content":)"
              R"([{"type":"text","text":"r"}]}]},{"role":"user","content":"go on"}]})",
              "user: 'hi' | assistant: call f#toolu3my{} | user: result #toolu3my'r' | "
              "user: 'go on'"},
        Habit{"ToolIdsOfAnySpelling", kChat,
              R"({"model":"m","messages":[)" HI
              R"(,{"role":"assistant","tool_calls":[{"id":"callx y/1","type":"function",)"
              R"("function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":)"
              R"("callx y/1","content":"r"}]})",
              "user: 'hi' | assistant: call f#callx y/1{} | user: result #callx y/1'r'"},
        // What OpenAI's API had before tools, in conversations that go on.
        Habit{
            "FunctionCallsOfBeforeTools", kChat,
            R"({"model":"m","messages":[)" HI
            R"(,{"role":"assistant","content":null,"function_call":{"name":"f","arguments":)"
            R"("{\"a\":1}"}},{"role":"function","name":"f","content":"one"},)"
            R"({"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},)"
            R"({"role":"function","name":"f","content":"two"}]})",
            "user: 'hi' | assistant: call f#function_call_1{\"a\":1} | "
            "user: result f#function_call_1'one' | assistant: call f#function_call_3{} | "
            "user: result f#function_call_3'two'"},
        Habit{"FunctionResultOfACallNobodyKnows", kChat,
              R"({"model":"m","messages":[)" HI
              R"(,{"role":"function","name":"f","content":"one"}]})",
              "user: 'hi' | user: result f#function_call'one'"},
        Habit{"ImagesOfATool", kChat,
              R"({"model":"m","messages":[)" HI
              R"(,{"role":"tool","tool_call_id":"c","content":[{"type":"image_url","image_url":)"
              R"({"url":"data:image/png;base64,AAAA"}},{"type":"text","text":"a cat"}]},)"
              R"({"role":"tool","tool_call_id":"d","content":"r"}]})",
              "user: 'hi' | user: result #c'a cat' image image/png,AAAA result #d'r'"},
        Habit{"ThoughtsOfOllama", kOllama,
              R"({"model":"m","messages":[)" HI R"(,{"role":"assistant","thinking":"hm","content":)"
              R"("","tool_calls":[{"id":"a","function":{"name":"f","arguments":{}}}]}]})",
              "user: 'hi' | assistant: thinking hm, call f#a{}"},
        Habit{"ThoughtsOfChat", kChat,
              R"({"model":"m","messages":[)" HI R"(,{"role":"assistant","reasoning_content":"hm",)"
              R"("content":"a"},)" HI
              R"(,{"role":"assistant","reasoning":"well","content":null}]})",
              "user: 'hi' | assistant: thinking hm, 'a' | user: 'hi' | assistant: thinking well,"},
        Habit{"RefusalsThatAModelMade", kChat,
              R"({"model":"m","messages":[)" HI
              R"(,{"role":"assistant","content":null,"refusal":"I can't."}]})",
              "user: 'hi' | assistant: 'I can't.'"},
        Habit{"ImagesAsAddressesOfOllama", kOllama,
              R"({"model":"m","messages":[{"role":"user","content":"hi","images":)"
              R"(["data:image/png;base64,/9j/AA"]}]})",
              "user: 'hi' image image/jpeg,/9j/AA"},
        Habit{"CallsWithoutArguments", kChat,
              R"({"model":"m","messages":[)" HI
              R"(,{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":)"
              R"("null"}},{"id":"b","function":{"name":"f","arguments":""}},{"id":"c","function":)"
              R"({"name":"f","arguments":null}},{"id":"d","function":{"name":"f"}}]}]})",
              "user: 'hi' | assistant: call f#a{} call f#b{} call f#c{} call f#d{}"},
        Habit{"CallsWithoutArgumentsOfResponses", kResponses,
              R"({"model":"m","input":[{"role":"user","content":"hi"},{"type":"function_call",)"
              R"("call_id":"a","name":"f","arguments":" null "},{"type":"function_call",)"
              R"("call_id":"b","name":"f","arguments":""}]})",
              "user: 'hi' | assistant: call f#a{} call f#b{}"},
        Habit{"ResultsOfCallsNobodyKnows", kResponses,
              R"({"model":"m","input":[{"role":"user","content":"hi"},{"type":)"
              R"("function_call_output","call_id":"from elsewhere","output":"r"}]})",
              "user: 'hi' | user: result #from elsewhere'r'"},
        Habit{"ConsecutiveUsersOfResponses", kResponses,
              R"({"model":"m","input":[{"role":"user","content":"hi"},{"role":"user","content":)"
              R"([{"type":"input_text","text":"there"}]}]})",
              "user: 'hi' | user: 'there'"}),
    [](const auto& test) { return test.param.name; });

// RFC 8259, 8.1: it may be ignored. Some programs on Windows write it.
TEST(LenientBodies, AByteOrderMarkIsPassedOverInEveryDialect) {
  const std::pair<Dialect, const char*> rows[] = {
      {kAnthropic, R"({"model":"m","max_tokens":1,"messages":[)" HI "]}"},
      {kChat, R"({"model":"m","messages":[)" HI "]}"},
      {kResponses, R"({"model":"m","input":"hi"})"},
      {Dialect::kOpenAiCompletions, R"({"model":"m","prompt":"hi"})"},
      {kOllama, R"({"model":"m","messages":[)" HI "]}"},
      {Dialect::kOllamaGenerate, R"({"model":"m","prompt":"hi"})"}};
  for (const auto& [dialect, body] : rows) {
    const std::string marked = std::string("\xEF\xBB\xBF") + body;
    EXPECT_EQ(shown(parsed(dialect, marked).messages), "user: 'hi'") << body;
    const std::string twice = marked.substr(0, 4) + R"("model":"other",)" + marked.substr(4);
    EXPECT_FALSE(parse_request(dialect, twice)) << twice;
  }
}

TEST(LenientLimits, AnEmptyStopSequenceStopsNothing) {
  for (const char* stop : {R"("")", R"(["","END"])", R"([""])"}) {
    const Request request =
        parsed(kChat, std::string(R"({"model":"m","stop":)") + stop + R"(,"messages":[)" HI "]}");
    for (const std::string& text : request.stop) EXPECT_EQ(text, "END");
  }
}

TEST(LenientTools, AreTakenWithFieldsOfOtherKinds) {
  const Request request = parsed(
      kAnthropic,
      R"({"model":"m","max_tokens":128000,"messages":[)" HI
      R"(],"tools":[{"name":"f","input_schema":{"type":"object"},"defer_loading":true,"strict":)"
      R"(true,"eager_input_streaming":true,"cache_control":{"type":"ephemeral"}},{"type":)"
      R"("custom","name":"g","input_schema":{}},{"type":"web_search_20250305","name":)"
      R"("web_search","max_uses":5},{"type":"bash_20250124","name":"bash"}]})");
  ASSERT_EQ(request.tools.size(), 2u);
  EXPECT_EQ(request.max_tokens, 128000);
  EXPECT_THAT(request.left_out, testing::ElementsAre("web_search_20250305", "bash_20250124"));
  EXPECT_THAT(request.unsupported, testing::IsEmpty());
}

struct Unknown {
  Dialect dialect;
  const char* name;
  const char* field;
};

class UnknownField : public testing::TestWithParam<Unknown> {};

// Claude knows them as little as local models, and would be asked without them.
TEST_P(UnknownField, IsNotForLocalModelsAndIsSaidToBeLeftOutOfOthers) {
  const std::string body = R"({"model":"m","prompt":"hi",)" + std::string(GetParam().field) + "}";
  const Request request = parsed(GetParam().dialect, body);
  EXPECT_THAT(request.unsupported, testing::ElementsAre(GetParam().name));
  EXPECT_THAT(request.left_out, testing::ElementsAre(GetParam().name));
}

INSTANTIATE_TEST_SUITE_P(
    Text, UnknownField,
    testing::Values(Unknown{Dialect::kOpenAiCompletions, "suffix", R"("suffix":"}")"},
                    Unknown{Dialect::kOpenAiCompletions, "echo", R"("echo":true)"},
                    Unknown{Dialect::kOpenAiCompletions, "logprobs", R"("logprobs":0)"},
                    Unknown{Dialect::kOllamaGenerate, "suffix", R"("suffix":"}")"},
                    Unknown{Dialect::kOllamaGenerate, "template", R"("template":"{{ .Prompt }}")"},
                    Unknown{Dialect::kOllamaGenerate, "context", R"("context":[1,2])"},
                    Unknown{Dialect::kOllamaGenerate, "logprobs", R"("logprobs":true)"}),
    [](const auto& row) {
      const bool ollama = row.param.dialect == Dialect::kOllamaGenerate;
      return std::string(ollama ? "Generate_" : "Completions_") + row.param.name;
    });

// Guidance asks for them whatever it wants. They make no impossible call possible.
TEST(LenientLogprobs, AreLeftOutAndSaidToBe) {
  const Request chat =
      parsed(kChat, R"({"model":"m","messages":[)" HI R"(],"logprobs":true,"top_logprobs":5})");
  EXPECT_THAT(chat.left_out, testing::ElementsAre("logprobs"));
  EXPECT_THAT(chat.unsupported, testing::IsEmpty());
  const Request responses = parsed(kResponses, R"({"model":"m","input":"hi","top_logprobs":5})");
  EXPECT_THAT(responses.left_out, testing::ElementsAre("top_logprobs"));
  EXPECT_THAT(parsed(kChat, R"({"model":"m","messages":[)" HI R"(],"logprobs":false})").left_out,
              testing::IsEmpty());
  EXPECT_FALSE(parse_request(
      kChat, R"({"model":"m","messages":[)" HI R"(],"logprobs":true,"tool_choice":"required"})"));
}

TEST(LenientLogitBias, IsLeftOutAndSaidToBe) {
  const auto chat = [](const std::string& bias) {
    return parsed(kChat, R"({"model":"m","messages":[)" HI R"(],"logit_bias":)" + bias + "}")
        .left_out;
  };
  EXPECT_THAT(chat(R"({"50256":-100})"), testing::ElementsAre("logit_bias"));
  EXPECT_THAT(chat("{}"), testing::IsEmpty());
  EXPECT_THAT(chat("null"), testing::IsEmpty());
  EXPECT_THAT(
      parsed(Dialect::kOpenAiCompletions, R"({"model":"m","prompt":"hi","logit_bias":{"1":5}})")
          .left_out,
      testing::ElementsAre("logit_bias"));
  EXPECT_FALSE(parse_request(kChat, R"({"model":"m","messages":[)" HI
                                    R"(],"logit_bias":{"1":5},"tool_choice":"required"})"));
}

// A request about nothing but a tool of Claude's own servers is only Claude's to answer.
TEST(LenientTools, AreNotLeftOutWhenTheyAreWhatTheRequestIsAbout) {
  const std::string begin = R"({"model":"m","max_tokens":9,"messages":[)" HI
                            R"(],"tools":[{"type":"web_search_20250305","name":"web_search"})";
  EXPECT_THAT(parsed(kAnthropic, begin + "]}").unsupported, testing::ElementsAre("server_tool"));
  const std::string named = R"(,{"name":"f","input_schema":{}}],"tool_choice":{"type":"tool",)";
  EXPECT_THAT(parsed(kAnthropic, begin + named + R"("name":"web_search"}})").unsupported,
              testing::ElementsAre("server_tool"));
  EXPECT_THAT(parsed(kAnthropic, begin + named + R"("name":"f"}})").unsupported,
              testing::IsEmpty());
}

TEST(LenientTools, ACallThatIsDemandedMayBeOfAnMcpServer) {
  const Request request =
      parsed(kAnthropic, R"({"model":"m","max_tokens":1,"mcp_servers":[{"type":"url"}],)"
                         R"("tool_choice":{"type":"tool","name":"g"},"messages":[)" HI "]}");
  EXPECT_EQ(request.tool_choice.name, "g");
}

TEST(LenientTools, AreChosenInTheFormOfTheResponsesApiToo) {
  const Request request =
      parsed(kChat, R"({"model":"m","tools":[{"type":"function","function":{"name":"f"}}],)"
                    R"("tool_choice":{"type":"function","name":"f"},"messages":[)" HI "]}");
  EXPECT_EQ(request.tool_choice.kind, ToolChoice::Kind::kNamed);
  EXPECT_EQ(request.tool_choice.name, "f");
}

TEST(LenientFormats, ASchemaThatIsLeftOutMeansAnyObject) {
  const Request request =
      parsed(kChat, R"({"model":"m","response_format":{"type":"json_schema","json_schema":)"
                    R"({"name":"n"}},"messages":[)" HI "]}");
  EXPECT_TRUE(request.json_object);
  EXPECT_EQ(request.json_schema, "");
}

TEST(LenientFormats, ASchemaBesideJsonObjectIsMeant) {
  const Request request =
      parsed(kChat, R"({"model":"m","response_format":{"type":"json_object","schema":)"
                    R"({"type":"object"}},"messages":[)" HI "]}");
  EXPECT_EQ(request.json_schema, R"({"type":"object"})");
  EXPECT_FALSE(request.json_object);
}

// LM Studio and llama-server: -1 is no limit.
TEST(LenientLimits, MinusOneOfChatIsNone) {
  const auto request = parsed(kChat, R"({"model":"m","max_tokens":-1,"messages":[)" HI "]}");
  EXPECT_FALSE(request.max_tokens);
}

// Claude's cache is filled that way, and only there is it of any use.
TEST(LenientLimits, ZeroOfMessagesIsClaudesToUnderstand) {
  const auto request = parsed(kAnthropic, R"({"model":"m","max_tokens":0,"messages":[)" HI "]}");
  EXPECT_EQ(request.max_tokens, 0);
  EXPECT_EQ(request.unsupported, std::vector<std::string>{"max_tokens_0"});
}

TEST(LenientFields, SpeechIsRefusedAndNotLeftOut) {
  const auto asked = [](const char* modalities) {
    return parse_request(
        kChat, std::string(R"({"model":"m","messages":[{"role":"user","content":"q"}],)") +
                   R"("modalities":)" + modalities + "}");
  };
  EXPECT_TRUE(asked(R"(["text"])"));
  EXPECT_TRUE(asked("null"));
  const auto speech = asked(R"(["text","audio"])");
  ASSERT_FALSE(speech);
  EXPECT_EQ(speech.error().code, Code::kInvalid);
  EXPECT_EQ(speech.error().field, "modalities");
}

TEST(LenientFields, ACompactionIsClaudesToMake) {
  const auto request = parsed(
      kAnthropic,
      R"({"model":"m","max_tokens":9,"compaction":{"type":"summarize"},"messages":[)" HI "]}");
  EXPECT_EQ(request.unsupported, std::vector<std::string>{"compaction"});
}

TEST(LenientFields, AnyIsMistralsWordForRequired) {
  const auto request =
      parsed(kChat, R"({"model":"m","tool_choice":"any","tools":[{"type":"function","function":)"
                    R"({"name":"f"}}],"messages":[)" HI "]}");
  EXPECT_EQ(request.tool_choice.kind, ToolChoice::Kind::kAny);
}

TEST(LenientLimits, EveryNameOfTheOutputLimitIsKnown) {
  EXPECT_EQ(parsed(kChat, R"({"model":"m","max_tokens":32000,"messages":[)" HI "]}").max_tokens,
            32000);
  EXPECT_EQ(parsed(kChat, R"({"model":"m","max_completion_tokens":128000,"messages":[)" HI "]}")
                .max_tokens,
            128000);
  EXPECT_EQ(
      parsed(kResponses, R"({"model":"m","max_output_tokens":128000,"input":"hi"})").max_tokens,
      128000);
}

// CPU time, as other programs run beside this one.
std::clock_t time_to_read(int results) {
  std::string body = R"({"model":"m","messages":[)" HI;
  for (int i = 0; i < results; ++i) body += R"(,{"role":"function","name":"f","content":"x"})";
  body += "]}";
  const std::clock_t begin = std::clock();
  EXPECT_EQ(parsed(kChat, body).messages.back().blocks.size(), static_cast<std::size_t>(results));
  return std::clock() - begin;
}

// Eight times as many take eight times as long, and would take 64 times as long if the call of each
// was looked for among all that came before.
TEST(FunctionResults, AreReadInProportionToTheirNumber) {
  const std::clock_t few = time_to_read(10'000);
  EXPECT_LT(time_to_read(80'000), 20 * few);
}

}  // namespace
}  // namespace tophand::chat
