// What the Responses and Completions APIs accept and refuse.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "base/json.h"
#include "chat/dialect.h"
#include "chat/test_support.h"

namespace tophand::chat {
namespace {

constexpr auto kResponses = Dialect::kOpenAiResponses;
constexpr auto kCompletions = Dialect::kOpenAiCompletions;

struct Row {
  const char* name;
  Dialect dialect;
  const char* body;
  const char* outcome;  // the conversation, or how the message begins
};
void PrintTo(const Row& row, std::ostream* out) {
  *out << row.name;
}

class ResponsesAccepted : public testing::TestWithParam<Row> {};

TEST_P(ResponsesAccepted, BecomesTheConversation) {
  EXPECT_EQ(shown(parsed(GetParam().dialect, GetParam().body).messages), GetParam().outcome);
}

#define INPUT(items) R"({"model":"m","input":[)" items "]}"

INSTANTIATE_TEST_SUITE_P(
    All, ResponsesAccepted,
    testing::Values(
        Row{"String", kResponses, R"({"model":"m","input":"hi"})", "user: 'hi'"},
        Row{"Instructions", kResponses,
            R"({"model":"m","instructions":"be brief","input":"hi","store":false})",
            "system: 'be brief' | user: 'hi'"},
        Row{"InstructionsAsItems", kResponses,
            R"({"model":"m","instructions":[{"type":"message","role":"developer","content":)"
            R"([{"type":"input_text","text":"be brief"}]},{"role":"user","content":"an example"}],)"
            R"("input":"hi"})",
            "system: 'be brief' | user: 'an example' | user: 'hi'"},
        Row{"RolesAndPartsOfCodex", kResponses,
            INPUT(R"({"type":"message","role":"developer","content":[{"type":"input_text",)"
                  R"("text":"d"}]},{"type":"message","id":"msg_1","status":"completed","role":)"
                  R"("user","content":[{"type":"input_text","text":"u"}]},{"type":"message",)"
                  R"("role":"assistant","content":[{"type":"output_text","text":"a",)"
                  R"("annotations":[]}]},{"role":"system","content":"s"})"),
            "system: 'd' | user: 'u' | assistant: 'a' | system: 's'"},
        Row{"ImagesInlineAndByAddress", kResponses,
            INPUT(R"({"role":"user","content":[{"type":"input_image","detail":"auto",)"
                  R"("image_url":"data:image/png;base64,AAAA"},{"type":"input_image",)"
                  R"("image_url":"https://h/x.png"}]})"),
            "user: image image/png,AAAA image ,https://h/x.png"},
        Row{"OneTurnOfSeveralItems", kResponses,
            INPUT(R"({"role":"user","content":"go"},{"type":"reasoning","id":"rs_1","summary":[],)"
                  R"("content":[{"type":"reasoning_text","text":"hm"}]},{"type":"message","role":)"
                  R"("assistant","content":[{"type":"output_text","text":"ok"}]},)"
                  R"({"type":"function_call","id":"fc_1","call_id":"any id","name":"f",)"
                  R"("arguments":"{\"a\":1}","status":"completed"},{"type":"function_call",)"
                  R"("call_id":"c2","name":"g","arguments":""},{"type":"function_call_output",)"
                  R"("call_id":"any id","output":"one"},{"type":"function_call_output","call_id":)"
                  R"("c2","output":[{"type":"input_text","text":"two"},{"type":"input_image",)"
                  R"("image_url":"data:image/png;base64,BBBB"}]})"),
            "user: 'go' | assistant: thinking hm, 'ok' call f#any id{\"a\":1} call g#c2{} | "
            "user: result #any id'one' result #c2'two' image image/png,BBBB"},
        Row{"CustomToolCalls", kResponses,
            INPUT(R"({"role":"user","content":"go"},{"type":"custom_tool_call","call_id":"c",)"
                  R"("name":"patch","input":"a \"b\""},{"type":"custom_tool_call_output",)"
                  R"("call_id":"c","output":"done"})"),
            "user: 'go' | assistant: call patch#c{\"input\":\"a \\\"b\\\"\"} | "
            "user: result #c'done'"},
        Row{"EncryptedThoughtsAreNobodysHere", kResponses,
            INPUT(R"({"role":"user","content":"go"},{"type":"reasoning","summary":[{"type":)"
                  R"("summary_text","text":"s"}],"encrypted_content":"zz"})"),
            "user: 'go'"},
        Row{"UnknownFields", kResponses,
            R"({"model":"m","input":"hi","include":["reasoning.encrypted_content"],"store":false,)"
            R"("prompt_cache_key":"k","client_metadata":{"a":"b"},"service_tier":null,)"
            R"("reasoning":{"summary":"auto"},"previous_response_id":null})",
            "user: 'hi'"},
        Row{"Warmup", kResponses, R"({"model":"m","input":"","max_output_tokens":1})", ""},
        Row{"Prompt", kCompletions, R"({"model":"m","prompt":"def f("})", "user: 'def f('"},
        Row{"OnePromptInAList", kCompletions, R"({"model":"m","prompt":["a"],"n":1})", "user: 'a'"},
        Row{"TheFirstOfSeveralPrompts", kCompletions, R"({"model":"m","prompt":["a","b"],"n":2})",
            "user: 'a'"}),
    [](const auto& test) { return test.param.name; });

// Two turns that were kept: a question with a call, and its result.
class Remembered final : public Memory {
 public:
  std::vector<Earlier> until(std::string_view id) override {
    const Earlier first{"resp_A", R"("go")",
                        R"({"id":"resp_A","instructions":"be brief",)"
                        R"("output":[{"id":"rs_A_0","type":"reasoning","summary":[],"content":)"
                        R"([{"type":"reasoning_text","text":"hm"}]},{"id":"fc_A_1","type":)"
                        R"("function_call","call_id":"c","name":"f","arguments":"{}"}]})"};
    const Earlier second{"resp_B",
                         R"([{"type":"function_call_output","call_id":"c","output":"42"}])",
                         R"({"id":"resp_B","output":[{"id":"msg_B_0","type":"message","role":)"
                         R"("assistant","content":[{"type":"output_text","text":"done"}]}]})"};
    if (id == "resp_A") return {first};
    if (id == "resp_B") return {first, second};
    return {};
  }
};

constexpr std::string_view kBothTurns =
    "user: 'go' | assistant: thinking hm, call f#c{} | user: result #c'42' | assistant: 'done'";

TEST(APreviousResponse, StandsInFrontWithAllBeforeItButItsInstructions) {
  Remembered memory;
  const auto request = parse_request(
      kResponses,
      R"({"model":"m","instructions":"now long","input":"more","previous_response_id":"resp_B"})",
      &memory);
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(shown(request->messages),
            "system: 'now long' | " + std::string(kBothTurns) + " | user: 'more'");
  EXPECT_EQ(request->continues, "resp_B");
  EXPECT_NE(request->echo_json.find(R"("previous_response_id":"resp_B")"), std::string::npos);
}

TEST(APreviousResponse, MayBeContinuedByTheResultOfItsCall) {
  Remembered memory;
  const auto request =
      parse_request(kResponses,
                    R"({"model":"m","previous_response_id":"resp_A","input":[)"
                    R"({"type":"function_call_output","call_id":"c","output":"43"}]})",
                    &memory);
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(shown(request->messages),
            "user: 'go' | assistant: thinking hm, call f#c{} | user: result #c'43'");
}

TEST(APreviousResponse, MayBeContinuedByMoreOfTheAssistant) {
  Remembered memory;
  EXPECT_TRUE(parse_request(kResponses,
                            R"({"model":"m","previous_response_id":"resp_B","input":[)"
                            R"({"role":"assistant","content":"and more"}]})",
                            &memory));
}

TEST(APreviousResponse, ThatIsNotThereIsToldInOpenAisWords) {
  Remembered memory;
  for (Memory* where : {static_cast<Memory*>(&memory), static_cast<Memory*>(nullptr)}) {
    const auto lost = parse_request(
        kResponses, R"({"model":"m","input":"x","previous_response_id":"resp_1"})", where);
    ASSERT_FALSE(lost);
    EXPECT_EQ(lost.error().code, Code::kInvalid);  // a 400, as OpenAI's
    EXPECT_EQ(write_error(kResponses, lost.error(), ""),
              R"({"error":{"message":"Previous response with id 'resp_1' not found.",)"
              R"("type":"invalid_request_error","param":"previous_response_id",)"
              R"("code":"previous_response_not_found"}})");
  }
}

TEST(AnItemReference, StandsForTheItem) {
  Remembered memory;
  const auto request = parse_request(
      kResponses,
      INPUT(R"({"role":"user","content":"go"},{"type":"item_reference","id":"fc_A_1"},)"
            R"({"type":"function_call_output","call_id":"c","output":"42"},{"id":"msg_B_0"})"),
      &memory);
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(shown(request->messages),
            "user: 'go' | assistant: call f#c{} | user: result #c'42' | assistant: 'done'");
  // What is kept of this request has to be whole without the others.
  EXPECT_EQ(request->whole_input_json.find("item_reference"), std::string::npos);
  EXPECT_NE(request->whole_input_json.find(R"("text":"done")"), std::string::npos);
}

TEST(AnItemReference, ThatIsNotThereIsA404AboutTheInput) {
  Remembered memory;
  for (const char* id : {"msg_B_1", "msg_Z_0", "x", ""}) {
    const auto lost = parse_request(
        kResponses,
        R"({"model":"m","input":[{"type":"item_reference","id":")" + std::string(id) + R"("}]})",
        &memory);
    ASSERT_FALSE(lost) << id;
    EXPECT_EQ(lost.error().code, Code::kNotFound);
    EXPECT_EQ(lost.error().message.find("Item with id '" + std::string(id) + "' not found. "), 0U);
    EXPECT_NE(write_error(kResponses, lost.error(), "").find(R"("param":"input","code":null)"),
              std::string::npos);
  }
}

TEST(Store, IsAskedForUnlessItIsDeclined) {
  const auto store = [](const char* rest) {
    return parsed(kResponses, R"({"model":"m","input":"x")" + std::string(rest) + "}").store;
  };
  EXPECT_TRUE(store(""));
  EXPECT_TRUE(store(R"(,"store":null)"));
  EXPECT_TRUE(store(R"(,"store":true)"));
  EXPECT_FALSE(store(R"(,"store":false)"));
}

class ResponsesRefused : public testing::TestWithParam<Row> {};

TEST_P(ResponsesRefused, NamesTheFieldAndWhatToDo) {
  const auto result = parse_request(GetParam().dialect, GetParam().body);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Code::kInvalid);
  EXPECT_THAT(result.error().message, testing::StartsWith(GetParam().outcome));
}

INSTANTIATE_TEST_SUITE_P(
    All, ResponsesRefused,
    testing::Values(
        Row{"NoModel", kResponses, R"({"input":"x"})", "model: Field required"},
        Row{"NoInput", kResponses, R"({"model":"m"})", "input: Field required"},
        Row{"EmptyInput", kResponses, R"({"model":"m","input":[]})",
            "input: expected at least one item"},
        Row{"Instructions", kResponses, R"({"model":"m","input":"x","instructions":1})",
            "instructions: expected a string or an array, found a number"},
        Row{"InstructionItem", kResponses,
            R"({"model":"m","input":"x","instructions":[{"role":"robot","content":"x"}]})",
            "instructions[0].role: expected 'user'"},
        Row{"Background", kResponses, R"({"model":"m","input":"x","background":true})",
            "background: answers in the background"},
        Row{"ItemReferenceWithoutId", kResponses, INPUT(R"({"type":"item_reference"})"),
            "input[0].id: Field required"},
        Row{"Store", kResponses, R"({"model":"m","input":"x","store":"yes"})", "store: expected"},
        Row{"Conversation", kResponses, R"({"model":"m","input":"x","conversation":"conv_1"})",
            "conversation: conversations are not stored here"},
        Row{"Role", kResponses, INPUT(R"({"role":"robot","content":"x"})"),
            "input[0].role: expected 'user'"},
        Row{"Audio", kResponses, INPUT(R"({"role":"user","content":[{"type":"input_audio"}]})"),
            "input[0].content[0].type: content parts of type 'input_audio'"},
        Row{"ImageById", kResponses,
            INPUT(R"({"role":"user","content":[{"type":"input_image","file_id":"f"}]})"),
            "input[0].content[0].image_url: only images given"},
        Row{"CallWithoutId", kResponses, INPUT(R"({"type":"function_call","name":"f"})"),
            "input[0].call_id: Field required"},
        Row{"ToolType", kResponses,
            R"({"model":"m","input":"x","tool_choice":{"type":"web_search"}})",
            "tool_choice.type: tools of type 'web_search' are not available here"},
        Row{"RequiredButNone", kResponses,
            R"({"model":"m","input":"x","tools":[{"type":"web_search"}],"tool_choice":"required"})",
            "tool_choice: a tool is required"},
        Row{"SchemaMissing", kResponses,
            R"({"model":"m","input":"x","text":{"format":{"type":"json_schema","name":"n"}}})",
            "text.format.schema: Field required"},
        Row{"LimitZero", kResponses, R"({"model":"m","input":"x","max_output_tokens":0})",
            "max_output_tokens: expected an integer from 1"},
        Row{"NoPrompt", kCompletions, R"({"model":"m"})", "prompt: Field required"},
        Row{"NoPromptInTheList", kCompletions, R"({"model":"m","prompt":[]})",
            "prompt: expected at least one prompt"},
        Row{"TokenIds", kCompletions, R"({"model":"m","prompt":["a",1]})",
            "prompt[1]: expected a string, found a number"},
        Row{"EmptyPrompt", kCompletions, R"({"model":"m","prompt":""})",
            "prompt: must not be empty"},
        Row{"TooManyAnswers", kCompletions, R"({"model":"m","prompt":["a","b"],"n":65})",
            "prompt: at most 128 answers a request, found 130"},
        Row{"NoAnswer", kCompletions, R"({"model":"m","prompt":"a","n":0})",
            "n: expected an integer from 1 to 128"},
        Row{"BestOf", kCompletions, R"({"model":"m","prompt":"a","n":2,"best_of":3})",
            "best_of: only as many answers as n are made"}),
    [](const auto& test) { return test.param.name; });

TEST(ResponsesRequest, TakesEverySetting) {
  const Request request =
      parsed(kResponses,
             R"({"model":"m","input":"x","stream":true,"max_output_tokens":77,"temperature":1.5,)"
             R"("top_p":0.5,"parallel_tool_calls":false,"reasoning":{"effort":"low"},)"
             R"("text":{"format":{"type":"json_schema","name":"n","strict":true,"schema":)"
             R"({"type":"object"}}},"metadata":{"priority":"high","task_class":"chat"},"tools":[)"
             R"({"type":"function","name":"f","description":"d","strict":false,"parameters":)"
             R"({"type":"object"}},{"type":"function","name":"g","parameters":null},)"
             R"({"type":"namespace","name":"n","tools":[]},{"type":"web_search"},{"type":"custom",)"
             R"("name":"c"},{"type":"web_search"}],"tool_choice":{"type":"function","name":"f"}})");
  EXPECT_TRUE(request.stream);
  EXPECT_EQ(request.max_tokens, 77);
  EXPECT_EQ(request.sampling.temperature, 1.5);
  EXPECT_EQ(request.sampling.top_p, 0.5);
  EXPECT_EQ(request.think, true);
  EXPECT_EQ(request.json_schema, R"({"type":"object"})");
  EXPECT_EQ(request.priority, "high");
  EXPECT_EQ(request.task_class, "chat");
  ASSERT_EQ(request.tools.size(), 2u);
  EXPECT_EQ(request.tools[0].name, "f");
  EXPECT_EQ(request.tools[0].input_schema_json, R"({"type":"object"})");
  EXPECT_EQ(request.tools[1].input_schema_json, "{}");
  EXPECT_EQ(request.tool_choice.kind, ToolChoice::Kind::kNamed);
  EXPECT_EQ(request.tool_choice.name, "f");
  EXPECT_FALSE(request.tool_choice.parallel);
  EXPECT_THAT(request.left_out, testing::ElementsAre("namespace", "web_search", "custom"));
  EXPECT_THAT(request.unsupported, testing::IsEmpty());
}

TEST(ResponsesRequest, AllowedToolsAreTheOnlyOnesOffered) {
  const Request request =
      parsed(kResponses,
             R"({"model":"m","input":"x","tools":[{"type":"function","name":"f"},{"type":)"
             R"("function","name":"g"}],"tool_choice":{"type":"allowed_tools","mode":"required",)"
             R"("tools":[{"type":"function","name":"g"}]}})");
  ASSERT_EQ(request.tools.size(), 1u);
  EXPECT_EQ(request.tools[0].name, "g");
  EXPECT_EQ(request.tool_choice.kind, ToolChoice::Kind::kAny);
}

TEST(ResponsesRequest, VendorItemsOfTheHistoryAreLeftOutByName) {
  const Request request = parsed(
      kResponses, INPUT(R"({"role":"user","content":"x"},{"type":"web_search_call","id":"w"})"));
  EXPECT_THAT(request.left_out, testing::ElementsAre("web_search_call"));
}

TEST(ResponsesRequest, AnEmptyInputLoadsTheModel) {
  EXPECT_TRUE(parsed(kResponses, R"({"model":"m","input":""})").load_only);
  EXPECT_FALSE(parsed(kResponses, R"({"model":"m","input":"x"})").load_only);
}

TEST(ResponsesRequest, ItsSettingsAreRepeatedInTheAnswer) {
  const Request request = parsed(
      kResponses, R"({"model":"m","input":"x","instructions":"i","temperature":0.5,"store":true})");
  Answer hi;
  hi.blocks = {TextBlock{"Hi"}};
  hi.usage = {.input_tokens = 3, .output_tokens = 2};
  const auto answer = parse_json(
      write_answer(kResponses, {.id = "resp_9", .model = "m", .echo_json = request.echo_json}, hi));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->at("instructions"), "i");
  EXPECT_EQ(answer->at("temperature"), 0.5);
  EXPECT_EQ(answer->at("tool_choice"), "auto");
  EXPECT_EQ(answer->at("store"), false);  // whatever was asked for
  EXPECT_EQ(answer->at("status"), "completed");
  EXPECT_EQ(answer->at("output").at(0).at("content").at(0).at("text"), "Hi");
  EXPECT_EQ(answer->at("usage").at("total_tokens"), 5);
}

TEST(ResponsesAnswer, SaysWhatWasCachedAndWhatWasThought) {
  Answer hi;
  hi.usage = {.input_tokens = 3,
              .cache_read_tokens = 5,
              .cache_write_5m_tokens = 2,
              .cache_write_1h_tokens = 1,
              .output_tokens = 9,
              .thinking_tokens = 4};
  const auto answer = parse_json(write_answer(kResponses, {.id = "resp_9"}, hi));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->at("usage"),
            Json({{"input_tokens", 11},
                  {"input_tokens_details", {{"cached_tokens", 5}, {"cache_write_tokens", 3}}},
                  {"output_tokens", 9},
                  {"output_tokens_details", {{"reasoning_tokens", 4}}},
                  {"total_tokens", 20}}));
}

TEST(ResponsesAnswer, SaysWhyItIsIncomplete) {
  for (const auto& [reason, why] : {std::pair(StopReason::kMaxTokens, "max_output_tokens"),
                                    std::pair(StopReason::kContextFull, "max_output_tokens"),
                                    std::pair(StopReason::kRefusal, "content_filter")}) {
    Answer answer;
    answer.reason = reason;
    const auto json = parse_json(write_answer(kResponses, {.id = "resp_9"}, answer));
    EXPECT_EQ(json->at("status"), "incomplete");
    EXPECT_EQ(json->at("incomplete_details").at("reason"), why);
  }
}

TEST(ResponsesAnswer, WhatTheLimitCutIsTheItemThatIsIncomplete) {
  Answer answer;
  answer.blocks = {ThinkingBlock{"Hm", ""}, TextBlock{"One two th"}};
  answer.reason = StopReason::kMaxTokens;
  const auto json = parse_json(write_answer(kResponses, {.id = "resp_9"}, answer));
  EXPECT_EQ(json->at("output").at(0).at("status"), "completed");
  EXPECT_EQ(json->at("output").at(1).at("status"), "incomplete");
}

// Claude says that a block ended before it says why the answer did.
TEST(ResponsesStream, WhatTheLimitCutIsTheItemThatIsIncomplete) {
  const auto writer = make_stream_writer(kResponses, {.id = "resp_9"});
  std::string out;
  for (const StreamEvent& event : {StreamEvent(ThinkingDelta{"Hm", ""}), StreamEvent(BlockEnd{}),
                                   StreamEvent(TextDelta{"One two th"}), StreamEvent(BlockEnd{}),
                                   StreamEvent(Finished{StopReason::kMaxTokens, "", {}, {}})})
    writer->on(event, 0, out);
  std::vector<Json> done;
  std::istringstream lines(out);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("data: ")) continue;
    const Json data = *parse_json(line.substr(6));
    if (data.at("type") == "response.output_item.done") done.push_back(data.at("item"));
    if (data.at("type") == "response.incomplete") {
      EXPECT_EQ(data.at("response").at("output"), Json(done));
    }
  }
  ASSERT_EQ(done.size(), 2U);
  EXPECT_EQ(done[0].at("status"), "completed");
  EXPECT_EQ(done[1].at("status"), "incomplete");
}

TEST(CompletionsRequest, TakesEverySetting) {
  const Request request = parsed(
      kCompletions,
      R"({"model":"m","prompt":"p","max_tokens":5,"temperature":0,"stop":["\n"],"stream":true,)"
      R"("stream_options":{"include_usage":true},"suffix":"s","echo":true,"logprobs":0})");
  EXPECT_TRUE(request.raw_prompt);
  EXPECT_TRUE(request.stream);
  EXPECT_TRUE(request.include_usage);
  EXPECT_EQ(request.max_tokens, 5);
  EXPECT_EQ(request.sampling.temperature, 0);
  EXPECT_THAT(request.stop, testing::ElementsAre("\n"));
  EXPECT_THAT(request.unsupported, testing::ElementsAre("suffix", "echo", "logprobs"));
  EXPECT_EQ(parsed(kCompletions, R"({"model":"m","prompt":"p"})").max_tokens, 16);
}

}  // namespace
}  // namespace tophand::chat
