// What each dialect accepts and refuses, as tables: a body, and what it comes to or the message.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chat/dialect.h"
#include "chat/test_support.h"

namespace tophand::chat {
namespace {

constexpr auto kAnthropic = Dialect::kAnthropicMessages;
constexpr auto kOpenAi = Dialect::kOpenAiChat;
constexpr auto kOllamaChat = Dialect::kOllamaChat;
constexpr auto kOllamaGenerate = Dialect::kOllamaGenerate;

struct Refused {
  const char* name;
  Dialect dialect;
  const char* body;
  const char* message;
};
void PrintTo(const Refused& row, std::ostream* out) {
  *out << row.name;
}

class RequestRefused : public testing::TestWithParam<Refused> {};

TEST_P(RequestRefused, NamesTheFieldAndWhatWasFound) {
  const auto result = parse_request(GetParam().dialect, GetParam().body);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Code::kInvalid);
  EXPECT_THAT(result.error().message, testing::StartsWith(GetParam().message));
}

TEST(AThread, IsAnsweredAtItsBeginningAndLostWhenItIsContinued) {
  const auto asked = [](const char* thread) {
    return parse_request(kAnthropic, R"({"model":"m","max_tokens":1,"thread":)" +
                                         std::string(thread) +
                                         R"(,"messages":[{"role":"user","content":"hi"}]})");
  };
  for (const char* thread : {"null", R"({"type":"create"})"})
    EXPECT_TRUE(asked(thread).has_value()) << thread;
  const auto lost = asked(R"({"type":"continue","previous_message_id":"msg_1"})");
  ASSERT_FALSE(lost.has_value());
  EXPECT_EQ(lost.error().code, Code::kNotFound);
  EXPECT_EQ(lost.error().message,
            "thread.previous_message_id: nothing is stored here: send the whole conversation");
  // The server holds what there is to answer: the SDK sends no messages then.
  const auto resumed = parse_request(
      kAnthropic, R"({"model":"m","max_tokens":1,"messages":[],"thread":{"type":"continue",)"
                  R"("previous_message_id":"msg_1"}})");
  EXPECT_EQ(resumed.error().code, Code::kNotFound);
  EXPECT_EQ(asked(R"({"type":"fork"})").error().message,
            "thread.type: expected 'create' or 'continue', found 'fork'");
}

#define USER R"({"role":"user","content":"hi"})"

INSTANTIATE_TEST_SUITE_P(
    Anthropic, RequestRefused,
    testing::Values(
        Refused{"EmptyBody", kAnthropic, " ", "the request body is empty"},
        Refused{"Malformed", kAnthropic, "{\"model\":", "malformed JSON"},
        Refused{"NotAnObject", kAnthropic, "[1]", "the request body is an array: expected"},
        Refused{"NoModel", kAnthropic, R"({"max_tokens":1,"messages":[)" USER "]}",
                "model: Field required"},
        Refused{"ModelNumber", kAnthropic, R"({"model":3,"max_tokens":1,"messages":[)" USER "]}",
                "model: expected a string, found a number"},
        Refused{"NoMaxTokens", kAnthropic, R"({"model":"m","messages":[)" USER "]}",
                "max_tokens: Field required"},
        Refused{"MaxTokensBelowZero", kAnthropic,
                R"({"model":"m","max_tokens":-1,"messages":[)" USER "]}",
                "max_tokens: expected an integer from 0"},
        Refused{"MaxTokensFraction", kAnthropic,
                R"({"model":"m","max_tokens":1.5,"messages":[)" USER "]}",
                "max_tokens: expected an integer, found 1.5"},
        Refused{"MaxTokensText", kAnthropic,
                R"({"model":"m","max_tokens":"9","messages":[)" USER "]}",
                "max_tokens: expected an integer, found a string"},
        Refused{"NoMessages", kAnthropic, R"({"model":"m","max_tokens":1})",
                "messages: Field required"},
        Refused{"EmptyMessages", kAnthropic, R"({"model":"m","max_tokens":1,"messages":[]})",
                "messages: at least one message is required"},
        Refused{"UnknownRole", kAnthropic,
                R"({"model":"m","max_tokens":1,"messages":[{"role":"tool","content":"x"}]})",
                "messages.0.role: expected 'user', 'assistant' or 'system', found 'tool'"},
        Refused{"ContentNumber", kAnthropic,
                R"({"model":"m","max_tokens":1,"messages":[)" USER
                R"(,{"role":"user","content":7}]})",
                "messages.1.content: expected a string or an array, found a number"},
        Refused{"ContentMissing", kAnthropic,
                R"({"model":"m","max_tokens":1,"messages":[{"role":"user"}]})",
                "messages.0.content: Field required"},
        Refused{"EmptyUserContent", kAnthropic,
                R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":""}]})",
                "messages.0: all messages must have non-empty content"},
        Refused{"EmptyTextBlock", kAnthropic,
                R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":[)"
                R"({"type":"text","text":""}]}]})",
                "messages.0.content.0: text content blocks must be non-empty"},
        Refused{
            "BlockWithoutType", kAnthropic,
            R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"text":"x"}]}]})",
            "messages.0.content.0.type: Field required"},
        Refused{"ToolInputText", kAnthropic,
                R"({"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[)"
                R"({"type":"tool_use","id":"a","name":"f","input":"{}"}]}]})",
                "messages.0.content.0.input: expected an object, found a string"},
        Refused{"ToolWithoutSchema", kAnthropic,
                R"({"model":"m","max_tokens":1,"tools":[{"name":"f"}],"messages":[)" USER "]}",
                "tools.0.input_schema: Field required"},
        Refused{"ToolChoiceText", kAnthropic,
                R"({"model":"m","max_tokens":1,"tool_choice":"auto","messages":[)" USER "]}",
                "tool_choice: expected an object, found a string"},
        Refused{"CallOfNoTool", kAnthropic,
                R"({"model":"m","max_tokens":1,"tool_choice":{"type":"any"},"messages":[)" USER
                "]}",
                "tool_choice: a call is required, and there are no tools"},
        Refused{"CallOfAnotherTool", kAnthropic,
                R"({"model":"m","max_tokens":1,"tools":[{"name":"f","input_schema":{}}],)"
                R"("tool_choice":{"type":"tool","name":"g"},"messages":[)" USER "]}",
                "tool_choice: 'g' is not among the tools"},
        Refused{"TemperatureHigh", kAnthropic,
                R"({"model":"m","max_tokens":1,"temperature":1.5,"messages":[)" USER "]}",
                "temperature: expected a number from 0"},
        Refused{"StopText", kAnthropic,
                R"({"model":"m","max_tokens":1,"stop_sequences":"x","messages":[)" USER "]}",
                "stop_sequences: expected an array of strings, found a string"},
        Refused{"StreamText", kAnthropic,
                R"({"model":"m","max_tokens":1,"stream":"yes","messages":[)" USER "]}",
                "stream: expected a boolean, found a string"},
        Refused{"ModelTwice", kAnthropic,
                R"({"model":"m","max_tokens":1,"messages":[)" USER R"(],"mod\u0065l":"n"})",
                "model: given more than once"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    OpenAi, RequestRefused,
    testing::Values(
        Refused{"NoMessages", kOpenAi, R"({"model":"m"})", "messages: Field required"},
        Refused{"EmptyMessages", kOpenAi, R"({"model":"m","messages":[]})",
                "messages: expected at least one message"},
        Refused{"UserContentNull", kOpenAi,
                R"({"model":"m","messages":[{"role":"user","content":null}]})",
                "messages[0].content: expected a string or an array, found null"},
        Refused{"UnknownRole", kOpenAi,
                R"({"model":"m","messages":[{"role":"robot","content":"x"}]})",
                "messages[0].role: expected 'developer'"},
        Refused{"ToolWithoutId", kOpenAi,
                R"({"model":"m","messages":[{"role":"tool","content":"x"}]})",
                "messages[0].tool_call_id: Field required"},
        Refused{"AudioPart", kOpenAi,
                R"({"model":"m","messages":[{"role":"user","content":[{"type":"input_audio"}]}]})",
                "messages[0].content[0].type: content parts of type 'input_audio' are not"},
        Refused{"TooManyAnswers", kOpenAi, R"({"model":"m","n":129,"messages":[)" USER "]}",
                "n: expected an integer from 1 to 128"},
        Refused{"NoAnswer", kOpenAi, R"({"model":"m","n":0,"messages":[)" USER "]}",
                "n: expected an integer from 1 to 128"},
        Refused{"ToolChoice", kOpenAi,
                R"({"model":"m","tool_choice":"some","messages":[)" USER "]}",
                "tool_choice: expected 'none', 'auto' or 'required', found 'some'"},
        Refused{"CallOfNoTool", kOpenAi,
                R"({"model":"m","tool_choice":"required","messages":[)" USER "]}",
                "tool_choice: a call is required, and there are no tools"},
        Refused{"CallOfAnotherTool", kOpenAi,
                R"({"model":"m","tools":[{"type":"function","function":{"name":"f"}}],)"
                R"("tool_choice":{"type":"function","function":{"name":"g"}},"messages":[)" USER
                "]}",
                "tool_choice: 'g' is not among the tools"},
        Refused{"FunctionsOfOld", kOpenAi,
                R"({"model":"m","functions":[{"name":"f"}],"tools":[{"type":"function","function":)"
                R"({"name":"f"}}],"messages":[)" USER "]}",
                "functions: expected these or `tools`, found both"},
        Refused{"FunctionThatIsNotThere", kOpenAi,
                R"({"model":"m","functions":[{"name":"f"}],"function_call":{"name":"g"},)"
                R"("messages":[)" USER "]}",
                "tool_choice: 'g' is not among the tools"},
        Refused{"FunctionCallWithoutFunctions", kOpenAi,
                R"({"model":"m","function_call":{"name":"g"},"messages":[)" USER "]}",
                "function_call: there are no `functions`"},
        Refused{"FunctionCallMode", kOpenAi,
                R"({"model":"m","functions":[{"name":"f"}],"function_call":"any",)"
                R"("messages":[)" USER "]}",
                "function_call: expected 'auto', 'none'"},
        Refused{"AllowedToolsMode", kOpenAi,
                R"({"model":"m","tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":)"
                R"("any","tools":[]}},"messages":[)" USER "]}",
                "tool_choice.allowed_tools.mode: expected 'auto' or 'required', found 'any'"},
        Refused{"AllowedToolUnknown", kOpenAi,
                R"({"model":"m","tool_choice":{"type":"allowed_tools","allowed_tools":{"tools":[)"
                R"({"type":"function","function":{"name":"f"}}]}},"messages":[)" USER "]}",
                "tool_choice.allowed_tools.tools[0].function.name: 'f' is not among the tools"},
        Refused{"AllowedToolsRequiredOfNone", kOpenAi,
                R"({"model":"m","tool_choice":{"type":"allowed_tools","mode":"required","tools":[)"
                R"({"type":"web_search"}]},"messages":[)" USER "]}",
                "tool_choice.tools: a tool is required, and none of those allowed can be called "
                "here"},
        Refused{"StopNumber", kOpenAi, R"({"model":"m","stop":[1],"messages":[)" USER "]}",
                "stop[0]: expected a string, found a number"},
        Refused{"SchemaMissing", kOpenAi,
                R"({"model":"m","response_format":{"type":"json_schema"},"messages":[)" USER "]}",
                "response_format.json_schema.schema: Field required"},
        Refused{"LimitTooLarge", kOpenAi,
                R"({"model":"m","max_tokens":99999999999999999999,"messages":[)" USER "]}",
                "max_tokens: "},
        Refused{"ArgumentsNumber", kOpenAi,
                R"({"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"a",)"
                R"("type":"function","function":{"name":"f","arguments":1}}]}]})",
                "messages[0].tool_calls[0].function.arguments: expected a string, found a number"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Ollama, RequestRefused,
    testing::Values(
        Refused{"EmptyBody", kOllamaChat, "", "missing request body"},
        Refused{"NoModel", kOllamaChat, R"({"messages":[)" USER "]}", "model is required"},
        Refused{"OptionType", kOllamaChat,
                R"({"model":"m","messages":[)" USER R"(],"options":{"temperature":"hot"}})",
                "option \"temperature\" must be of type float32"},
        Refused{"OptionInteger", kOllamaChat,
                R"({"model":"m","messages":[)" USER R"(],"options":{"num_ctx":"4k"}})",
                "option \"num_ctx\" must be of type integer"},
        Refused{"OptionStop", kOllamaGenerate,
                R"({"model":"m","prompt":"x","options":{"stop":"a"}})",
                "option \"stop\" must be of type array"},
        Refused{"OptionBoolean", kOllamaGenerate,
                R"({"model":"m","prompt":"x","options":{"use_mmap":1}})",
                "option \"use_mmap\" must be of type boolean"},
        Refused{"RawWithSystem", kOllamaGenerate,
                R"({"model":"m","prompt":"x","raw":true,"system":"s"})",
                "raw mode does not support template, system, or context"},
        Refused{"RawWithContext", kOllamaGenerate,
                R"({"model":"m","prompt":"x","raw":true,"context":[1]})",
                "raw mode does not support template, system, or context"},
        Refused{"Format", kOllamaChat, R"({"model":"m","messages":[)" USER R"(],"format":"xml"})",
                "invalid format: \"xml\"; expected \"json\" or a valid JSON Schema object"},
        Refused{"Think", kOllamaChat, R"({"model":"m","messages":[)" USER R"(],"think":"hard"})",
                "think: expected true, false,"},
        Refused{"KeepAlive", kOllamaChat,
                R"({"model":"m","messages":[)" USER R"(],"keep_alive":"5 minutes"})",
                "keep_alive: time: invalid duration \"5 minutes\""},
        Refused{"TopLogprobs", kOllamaChat,
                R"({"model":"m","messages":[)" USER R"(],"top_logprobs":21})",
                "top_logprobs must be between 0 and 20"},
        Refused{
            "ArgumentsText", kOllamaChat,
            R"({"model":"m","messages":[{"role":"assistant","tool_calls":[{"function":)"
            R"({"name":"f","arguments":"{}"}}]}]})",
            "messages[0].tool_calls[0].function.arguments: expected an object, found a string"}),
    [](const auto& test) { return test.param.name; });

struct Accepted {
  const char* name;
  Dialect dialect;
  const char* body;
  const char* conversation;
};
void PrintTo(const Accepted& row, std::ostream* out) {
  *out << row.name;
}

class RequestAccepted : public testing::TestWithParam<Accepted> {};

TEST_P(RequestAccepted, BecomesTheConversation) {
  const auto result = parse_request(GetParam().dialect, GetParam().body);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(shown(result->messages), GetParam().conversation);
}

#define A(messages) R"({"model":"m","max_tokens":9,"messages":[)" messages "]}"
#define O(messages) R"({"model":"m","messages":[)" messages "]}"

INSTANTIATE_TEST_SUITE_P(
    Anthropic, RequestAccepted,
    testing::Values(
        Accepted{"StringContent", kAnthropic, A(USER), "user: 'hi'"},
        Accepted{"SystemString", kAnthropic,
                 R"({"model":"m","max_tokens":9,"system":"be brief","messages":[)" USER "]}",
                 "system: 'be brief' | user: 'hi'"},
        Accepted{
            "SystemBlocksWithCacheControl", kAnthropic,
            R"({"model":"m","max_tokens":9,"system":[{"type":"text","text":"a","cache_control":)"
            R"({"type":"ephemeral"}},{"type":"text","text":"b"}],"messages":[)" USER "]}",
            "system: 'a' 'b' | user: 'hi'"},
        Accepted{"SystemInsideMessagesInOrder", kAnthropic,
                 A(USER R"(,{"role":"system","content":[{"type":"text","text":"env"}],)"
                        R"("output_config":{"effort":"medium"}},)" USER),
                 "user: 'hi' | system: 'env' | user: 'hi'"},
        Accepted{"EmptySystemInsideMessages", kAnthropic,
                 A(USER R"(,{"role":"system","content":[],"output_config":{"effort":"medium"}})"),
                 "user: 'hi'"},
        Accepted{"ToolTurn", kAnthropic,
                 A(USER R"(,{"role":"assistant","content":[{"type":"text","text":"ok"},)"
                        R"({"type":"tool_use","id":"toolu1","name":"f","input":{"b":1,"a":[2]}}]},)"
                        R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu1",)"
                        R"("content":[{"type":"text","text":"x"},{"type":"text","text":"y"}]},)"
                        R"({"type":"text","text":"go on"}]})"),
                 "user: 'hi' | assistant: 'ok' call f#toolu1{\"b\":1,\"a\":[2]} | "
                 "user: result #toolu1'x\ny' 'go on'"},
        Accepted{"ToolResultError", kAnthropic,
                 A(R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"t",)"
                   R"("is_error":true,"content":"boom"}]})"),
                 "user: failure #t'boom'"},
        Accepted{"ToolResultWithoutContent", kAnthropic,
                 A(R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"t"}]})"),
                 "user: result #t''"},
        Accepted{"Thinking", kAnthropic,
                 A(USER R"(,{"role":"assistant","content":[{"type":"thinking","thinking":"hm",)"
                        R"("signature":"sig"},{"type":"redacted_thinking","data":"zz"}]})"),
                 "user: 'hi' | assistant: thinking hm,sig opaque redacted_thinking"},
        Accepted{"Images", kAnthropic,
                 A(R"({"role":"user","content":[{"type":"image","source":{"type":"base64",)"
                   R"("media_type":"image/png","data":"AAAA"}},{"type":"image","source":)"
                   R"({"type":"url","url":"http://h/i.png"}}]})"),
                 "user: image image/png,AAAA image ,http://h/i.png"},
        Accepted{"ImagesOfAToolResultStandBehindIt", kAnthropic,
                 A(R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":)"
                   R"([{"type":"image","source":{"type":"base64","media_type":"image/png","data":)"
                   R"("AAAA"}},{"type":"text","text":"r"}]}]})"),
                 "user: result #t'r' image image/png,AAAA"},
        Accepted{"UnknownBlockIsKept", kAnthropic,
                 A(R"({"role":"user","content":[{"type":"hologram","x":1}]})"),
                 "user: opaque hologram"},
        Accepted{"EmptyFinalAssistant", kAnthropic, A(USER R"(,{"role":"assistant","content":""})"),
                 "user: 'hi'"},
        Accepted{"ConsecutiveUsers", kAnthropic, A(USER "," USER), "user: 'hi' | user: 'hi'"},
        Accepted{"UnknownFields", kAnthropic,
                 R"({"model":"m","max_tokens":9,"thinking":{"type":"adaptive"},"speed":"fast",)"
                 R"("context_management":{"edits":[]},"service_tier":null,"messages":[)" USER "]}",
                 "user: 'hi'"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    OpenAi, RequestAccepted,
    testing::Values(
        Accepted{"Roles", kOpenAi,
                 O(R"({"role":"developer","content":"d"},{"role":"system","content":"s"},)" USER
                   R"(,{"role":"assistant","content":"a"})"),
                 "system: 'd' | system: 's' | user: 'hi' | assistant: 'a'"},
        Accepted{"Parts", kOpenAi,
                 O(R"({"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url",)"
                   R"("image_url":{"url":"data:image/jpeg;base64,/9j/4A=="}},{"type":"image_url",)"
                   R"("image_url":{"url":"https://h/x.png","detail":"low"}}]})"),
                 "user: 'see' image image/jpeg,/9j/4A== image ,https://h/x.png"},
        Accepted{
            "ToolTurnMergesResults", kOpenAi,
            O(USER
              R"(,{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":)"
              R"("function","function":{"name":"f","arguments":"{\"a\": 1}"}},{"id":"c2",)"
              R"("type":"function","function":{"name":"g","arguments":""}}]},)"
              R"({"role":"tool","tool_call_id":"c1","content":"one"},)"
              R"({"role":"tool","tool_call_id":"c2","content":[{"type":"text","text":"two"}]})"),
            "user: 'hi' | assistant: call f#c1{\"a\": 1} call g#c2{} | "
            "user: result #c1'one' result #c2'two'"},
        Accepted{"BrokenArgumentsAreKept", kOpenAi,
                 O(R"({"role":"assistant","tool_calls":[{"id":"c","type":"function","function":)"
                   R"({"name":"f","arguments":"{\"a\":"}}]})"),
                 "assistant: call f#c{\"invalid_arguments\":\"{\\\"a\\\":\"}"},
        Accepted{"PdfBecomesADocument", kOpenAi,
                 O(R"({"role":"user","content":[{"type":"file","file":{"filename":"a.pdf",)"
                   R"("file_data":"data:application/pdf;base64,JVBERi0="}}]})"),
                 "user: opaque document"},
        Accepted{"TextFileBecomesADocument", kOpenAi,
                 O(R"({"role":"user","content":[{"type":"file","file":{"filename":"a.csv",)"
                   R"("file_data":"data:text/csv;charset=utf-8;base64,w6QsMQo="}}]})"),
                 "user: opaque document"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Ollama, RequestAccepted,
    testing::Values(
        Accepted{"RolesInAnyCase", kOllamaChat,
                 O(R"({"role":"System","content":"s"},{"role":"USER","content":"u"})"),
                 "system: 's' | user: 'u'"},
        Accepted{"Images", kOllamaChat,
                 O(R"({"role":"user","content":"see","images":["iVBORw0","/9j/4A"]})"),
                 "user: 'see' image image/png,iVBORw0 image image/jpeg,/9j/4A"},
        Accepted{
            "ToolTurnWithoutIds", kOllamaChat,
            O(USER R"(,{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f",)"
                   R"("arguments":{"z":1,"a":2}}},{"function":{"name":"g","arguments":{}}}]},)"
                   R"({"role":"tool","tool_name":"g","content":"G"},)"
                   R"({"role":"tool","content":"F"})"),
            "user: 'hi' | assistant: call f#call_1{\"z\":1,\"a\":2} call g#call_2{} | "
            "user: result g#call_2'G' | user: result f#call_1'F'"},
        Accepted{"ToolTurnWithIds", kOllamaChat,
                 O(R"({"role":"assistant","tool_calls":[{"id":"x","function":{"name":"f",)"
                   R"("arguments":{}}}]},{"role":"tool","tool_call_id":"x","content":"F"})"),
                 "assistant: call f#x{} | user: result f#x'F'"},
        Accepted{"ThinkingIsKept", kOllamaChat,
                 O(USER R"(,{"role":"assistant","content":"a","thinking":"t"})"),
                 "user: 'hi' | assistant: thinking t, 'a'"},
        Accepted{"Generate", kOllamaGenerate,
                 R"({"model":"m","prompt":"p","system":"s","images":["R0lGODlh"]})",
                 "system: 's' | user: 'p' image image/gif,R0lGODlh"},
        Accepted{"LoadChat", kOllamaChat, R"({"model":"m"})", ""},
        Accepted{"LoadGenerate", kOllamaGenerate, R"({"model":"m","prompt":""})", ""}),
    [](const auto& test) { return test.param.name; });

TEST(AnthropicRequest, SaysWhetherToThink) {
  const auto think = [](const std::string& thinking) {
    return parsed(kAnthropic,
                  R"({"model":"m","max_tokens":9,"messages":[)" USER "]" + thinking + "}")
        .think;
  };
  EXPECT_EQ(think(""), std::nullopt);
  EXPECT_EQ(think(R"(,"thinking":{"type":"disabled"})"), false);
  EXPECT_EQ(think(R"(,"thinking":{"type":"enabled","budget_tokens":2048})"), true);
  EXPECT_EQ(think(R"(,"thinking":{"type":"adaptive"})"), true);
  EXPECT_EQ(think(R"(,"thinking":{"type":"new"})"), std::nullopt);
}

constexpr const char* kThreeTools =
    R"({"model":"m","messages":[)" USER R"(],"tools":[{"type":"function","function":{"name":"f"}},)"
    R"({"type":"function","function":{"name":"g"}},{"type":"function","function":{"name":"h"}}],)"
    R"("tool_choice":)";

TEST(OpenAiRequest, AllowedToolsAreTheOnlyOnesOfferedAndTheCallersListIsKept) {
  const Request request =
      parsed(kOpenAi, std::string(kThreeTools) +
                          R"({"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[)"
                          R"({"type":"function","function":{"name":"h"}},)"
                          R"({"type":"function","function":{"name":"f"}}]}}})");
  ASSERT_EQ(request.tools.size(), 2u);
  EXPECT_EQ(request.tools[0].name, "f");
  EXPECT_EQ(request.tools[1].name, "h");
  ASSERT_EQ(request.tools_of_caller.size(), 3u);
  EXPECT_EQ(request.tools_of_caller[1].name, "g");
  EXPECT_EQ(request.tool_choice.kind, ToolChoice::Kind::kAny);
}

TEST(OpenAiRequest, AllowedToolsOfWhichNoneIsHereForbidCallsAndKeepTheTools) {
  const Request request = parsed(kOpenAi, std::string(kThreeTools) +
                                              R"({"type":"allowed_tools","mode":"auto","tools":[)"
                                              R"({"type":"mcp","server_label":"s"}]}})");
  EXPECT_EQ(request.tools.size(), 3u);
  EXPECT_EQ(request.tool_choice.kind, ToolChoice::Kind::kNone);
}

TEST(OpenAiRequest, SaysWhetherToThink) {
  const auto think = [](const std::string& effort) {
    return parsed(kOpenAi, R"({"model":"m","messages":[)" USER "]" + effort + "}").think;
  };
  EXPECT_EQ(think(""), std::nullopt);
  EXPECT_EQ(think(R"(,"reasoning_effort":null)"), std::nullopt);
  EXPECT_EQ(think(R"(,"reasoning_effort":"none")"), false);
  EXPECT_EQ(think(R"(,"reasoning_effort":"high")"), true);
}

TEST(AnthropicRequest, TakesEverySetting) {
  const Request request = parsed(
      kAnthropic,
      R"({"model":"claude-x","max_tokens":128000,"stream":true,"temperature":0.5,"top_p":0.9,)"
      R"("top_k":40,"stop_sequences":["END"],"tools":[{"name":"f","description":"d",)"
      R"("input_schema":{"type":"object"},"defer_loading":true,"cache_control":{}},)"
      R"({"type":"custom","name":"g","input_schema":{}},{"type":"web_search_20250305",)"
      R"("name":"web_search"}],"tool_choice":{"type":"tool","name":"f",)"
      R"("disable_parallel_tool_use":true},"metadata":{"user_id":"u","priority":"low",)"
      R"("task_class":"commit"},"output_config":{"format":{"type":"json_schema","schema":)"
      R"({"type":"object"}}},"messages":[)" USER "]}");
  EXPECT_EQ(request.model, "claude-x");
  EXPECT_EQ(request.max_tokens, 128000);
  EXPECT_TRUE(request.stream);
  EXPECT_EQ(request.sampling.temperature, 0.5);
  EXPECT_EQ(request.sampling.top_p, 0.9);
  EXPECT_EQ(request.sampling.top_k, 40);
  EXPECT_THAT(request.stop, testing::ElementsAre("END"));
  ASSERT_EQ(request.tools.size(), 2u);
  EXPECT_EQ(request.tools[0].name, "f");
  EXPECT_EQ(request.tools[0].input_schema_json, R"({"type":"object"})");
  EXPECT_EQ(request.tools[1].name, "g");
  EXPECT_THAT(request.left_out, testing::ElementsAre("web_search_20250305"));
  EXPECT_THAT(request.unsupported, testing::IsEmpty());
  EXPECT_EQ(request.tool_choice.kind, ToolChoice::Kind::kNamed);
  EXPECT_EQ(request.tool_choice.name, "f");
  EXPECT_FALSE(request.tool_choice.parallel);
  EXPECT_EQ(request.priority, "low");
  EXPECT_EQ(request.task_class, "commit");
  EXPECT_EQ(request.json_schema, R"({"type":"object"})");
}

TEST(OpenAiRequest, TakesEverySetting) {
  const Request request = parsed(
      kOpenAi,
      R"({"model":"m","max_tokens":5,"max_completion_tokens":7,"stream":true,"stream_options":)"
      R"({"include_usage":true},"temperature":1.7,"presence_penalty":-1,"frequency_penalty":0.5,)"
      R"("seed":42,"stop":"END","response_format":{"type":"json_schema","json_schema":{"name":"n",)"
      R"("schema":{"a":1}}},"tools":[{"type":"function","function":{"name":"f","parameters":)"
      R"({"type":"object"}}}],"tool_choice":{"type":"function","function":{"name":"f"}},)"
      R"("parallel_tool_calls":false,"metadata":{"priority":"high"},"store":false,"messages":[)" USER
      "]}");
  EXPECT_EQ(request.max_tokens, 7) << "the newer name wins";
  EXPECT_TRUE(request.include_usage);
  EXPECT_EQ(request.sampling.temperature, 1.7);
  EXPECT_EQ(request.sampling.presence_penalty, -1);
  EXPECT_EQ(request.sampling.frequency_penalty, 0.5);
  EXPECT_EQ(request.sampling.seed, 42);
  EXPECT_THAT(request.stop, testing::ElementsAre("END"));
  EXPECT_EQ(request.json_schema, R"({"a":1})");
  ASSERT_EQ(request.tools.size(), 1u);
  EXPECT_EQ(request.tools[0].input_schema_json, R"({"type":"object"})");
  EXPECT_EQ(request.tool_choice.name, "f");
  EXPECT_FALSE(request.tool_choice.parallel);
  EXPECT_EQ(request.priority, "high");
}

TEST(OpenAiRequest, TakesNullForEveryOptionalField) {
  const Request request = parsed(
      kOpenAi,
      R"({"model":"m","max_tokens":null,"stream":null,"stream_options":null,"stop":null,"n":null,)"
      R"("temperature":null,"tools":null,"tool_choice":null,"response_format":null,)"
      R"("metadata":null,"messages":[)" USER "]}");
  EXPECT_FALSE(request.max_tokens.has_value());
  EXPECT_FALSE(request.stream);
}

TEST(OllamaRequest, StreamsUnlessToldNotTo) {
  EXPECT_TRUE(parsed(kOllamaChat, O(USER)).stream);
  EXPECT_FALSE(parsed(kOllamaChat, R"({"model":"m","stream":false,"messages":[)" USER "]}").stream);
}

TEST(OllamaRequest, CutsFractionsOfIntegerOptions) {
  const Request request = parsed(
      kOllamaChat,
      R"({"model":"m","messages":[)" USER
      R"(],"options":{"top_k":40.9,"num_predict":12.0,"seed":-1,"temperature":0,"unheard_of":"x"}})");
  EXPECT_EQ(request.sampling.top_k, 40);
  EXPECT_EQ(request.max_tokens, 12);
  EXPECT_FALSE(request.sampling.seed.has_value()) << "-1 asks for a random seed";
  EXPECT_EQ(request.sampling.temperature, 0);
}

TEST(OllamaRequest, NegativeNumPredictMeansNoLimit) {
  for (const char* limit : {"-1", "-2"})
    EXPECT_FALSE(parsed(kOllamaChat, std::string(R"({"model":"m","messages":[)" USER
                                                 R"(],"options":{"num_predict":)") +
                                         limit + "}}")
                     .max_tokens.has_value());
}

TEST(OllamaRequest, NamesWhatCannotBeHonoured) {
  EXPECT_THAT(parsed(kOllamaGenerate,
                     R"({"model":"m","prompt":"p","suffix":"s","template":"t","context":[1],)"
                     R"("logprobs":true})")
                  .unsupported,
              testing::UnorderedElementsAre("suffix", "template", "context", "logprobs"));
}

TEST(OllamaRequest, RawPromptHasNoTemplate) {
  EXPECT_TRUE(parsed(kOllamaGenerate, R"({"model":"m","prompt":"p","raw":true})").raw_prompt);
}

struct KeepAlive {
  const char* json;
  std::int64_t ms;
};

TEST(OllamaRequest, ReadsKeepAliveAsSecondsOrGoDuration) {
  // Values by Go's time.ParseDuration rules.
  const KeepAlive rows[] = {{"0", 0},
                            {"300", 300'000},
                            {"-1", -1},
                            {"1.5", 1500},
                            {"\"300ms\"", 300},
                            {"\"1.5h\"", 5'400'000},
                            {"\"2h45m\"", 9'900'000},
                            {"\"0\"", 0},
                            {"\"-1m\"", -1},
                            {"\"24h\"", 86'400'000},
                            {"\"10ns\"", 1},
                            {"\"0s\"", 0},
                            {"1e300", 9'000'000'000'000'000}};
  for (const KeepAlive& row : rows) {
    const Request request =
        parsed(kOllamaChat, std::string(R"({"model":"m","keep_alive":)") + row.json + "}");
    EXPECT_EQ(request.keep_alive_ms, row.ms) << row.json;
    EXPECT_EQ(request.keep_loaded, row.ms != 0) << row.json;
    EXPECT_TRUE(request.load_only);
  }
}

TEST(OllamaRequest, ReadsFormatAndThink) {
  EXPECT_TRUE(parsed(kOllamaChat, R"({"model":"m","format":"json"})").json_object);
  EXPECT_EQ(parsed(kOllamaChat, R"({"model":"m","format":{"type":"object"}})").json_schema,
            R"({"type":"object"})");
  EXPECT_EQ(parsed(kOllamaChat, R"({"model":"m","think":false})").think, false);
  EXPECT_EQ(parsed(kOllamaChat, R"({"model":"m","think":"high"})").think, true);
}

TEST(ParseRequest, ReadsAnyNestingWithinTheLimitAndRefusesBeyond) {
  const std::string deep(200'000, '[');
  const auto result = parse_request(kAnthropic, R"({"model":"m","x":)" + deep);
  ASSERT_FALSE(result.has_value());
  EXPECT_THAT(result.error().message, testing::HasSubstr("nested deeper"));
}

}  // namespace
}  // namespace tophand::chat
