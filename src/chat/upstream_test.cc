#include "chat/upstream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "chat/dialect.h"

namespace tophand::chat {
namespace {

Json json_of(const std::string& text) {
  auto parsed = parse_json(text);
  EXPECT_TRUE(parsed.has_value()) << text;
  return parsed ? *parsed : Json::object();
}

Json as_anthropic(Dialect dialect, std::string_view body) {
  const auto request = parse_request(dialect, body);
  EXPECT_TRUE(request.has_value()) << request.error().message;
  return request ? json_of(write_anthropic_request(*request, "claude-x", {.max_tokens = 4096}))
                 : Json();
}

Json as_anthropic(std::string_view messages) {
  return as_anthropic(Dialect::kOpenAiChat,
                      R"({"model":"m","messages":)" + std::string(messages) + "}");
}

// --- other dialects to Claude --------------------------------------------------------------------

struct Translation {
  const char* name;
  const char* messages;  // OpenAI's
  const char* expected;  // the Messages API's system and messages
};
void PrintTo(const Translation& row, std::ostream* out) {
  *out << row.name;
}

class TranslationToClaude : public testing::TestWithParam<Translation> {};

TEST_P(TranslationToClaude, KeepsTheConversationValid) {
  Json body = as_anthropic(GetParam().messages);
  Json relevant = Json::object();
  if (body.contains("system")) relevant["system"] = body["system"];
  relevant["messages"] = body["messages"];
  EXPECT_EQ(dump_json(relevant), dump_json(json_of(GetParam().expected)));
}

INSTANTIATE_TEST_SUITE_P(
    All, TranslationToClaude,
    testing::Values(
        Translation{"LeadingSystemIsHoisted",
                    R"([{"role":"system","content":"a"},{"role":"developer","content":"b"},)"
                    R"({"role":"user","content":"q"}])",
                    R"({"system":"a\n\nb","messages":[{"role":"user","content":[)"
                    R"({"type":"text","text":"q"}]}]})"},
        Translation{"LaterSystemKeepsItsPlace",
                    R"([{"role":"user","content":"q"},{"role":"system","content":"now"}])",
                    R"({"messages":[{"role":"user","content":[{"type":"text","text":"q"},)"
                    R"({"type":"text","text":"<system>\nnow\n</system>"}]}]})"},
        Translation{"ToolResultsComeFirstInOneMessage",
                    R"([{"role":"user","content":"q"},{"role":"assistant","tool_calls":[)"
                    R"({"id":"c1","function":{"name":"f","arguments":"{}"}},)"
                    R"({"id":"c2","function":{"name":"g","arguments":"{\"x\":1}"}}]},)"
                    R"({"role":"tool","tool_call_id":"c1","content":"1"},)"
                    R"({"role":"user","content":"hurry"},)"
                    R"({"role":"tool","tool_call_id":"c2","content":""}])",
                    R"({"messages":[{"role":"user","content":[{"type":"text","text":"q"}]},)"
                    R"({"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"f",)"
                    R"("input":{}},{"type":"tool_use","id":"c2","name":"g","input":{"x":1}}]},)"
                    R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"c1",)"
                    R"("content":"1"},{"type":"tool_result","tool_use_id":"c2"},)"
                    R"({"type":"text","text":"hurry"}]}]})"},
        Translation{"SystemTextAloneGetsAnOpening", R"([{"role":"system","content":"Greet me."}])",
                    R"({"system":"Greet me.","messages":[{"role":"user","content":[)"
                    R"({"type":"text","text":"[The assistant speaks first.]"}]}]})"},
        Translation{"CallsOfOneIdAreToldApart",
                    R"([{"role":"user","content":"q"},{"role":"assistant","tool_calls":[)"
                    R"({"id":"c","function":{"name":"f","arguments":"{}"}},)"
                    R"({"id":"c","function":{"name":"g","arguments":"{}"}}]},)"
                    R"({"role":"tool","tool_call_id":"c","content":"1"},)"
                    R"({"role":"tool","tool_call_id":"c","content":"2"},)"
                    R"({"role":"assistant","tool_calls":[)"
                    R"({"id":"c","function":{"name":"f","arguments":"{}"}}]},)"
                    R"({"role":"tool","tool_call_id":"c","content":"3"}])",
                    R"({"messages":[{"role":"user","content":[{"type":"text","text":"q"}]},)"
                    R"({"role":"assistant","content":[{"type":"tool_use","id":"c","name":"f",)"
                    R"("input":{}},{"type":"tool_use","id":"c_2","name":"g","input":{}}]},)"
                    R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"c",)"
                    R"("content":"1"},{"type":"tool_result","tool_use_id":"c_2","content":"2"}]},)"
                    R"({"role":"assistant","content":[{"type":"tool_use","id":"c_3","name":"f",)"
                    R"("input":{}}]},{"role":"user","content":[{"type":"tool_result",)"
                    R"("tool_use_id":"c_3","content":"3"}]}]})"},
        Translation{"ResultsWithoutTheirCallsAreTold",
                    R"([{"role":"user","content":"q"},{"role":"assistant","content":""},)"
                    R"({"role":"tool","tool_call_id":"c","content":"1"},)"
                    R"({"role":"tool","tool_call_id":"d","content":""}])",
                    R"({"messages":[{"role":"user","content":[{"type":"text","text":"q"},)"
                    R"({"type":"text","text":"[Result of a tool]\n1"},)"
                    R"~({"type":"text","text":"[Result of a tool]\n(none)"}]}]})~"},
        Translation{"EachCallHasOneResult",
                    R"([{"role":"user","content":"q"},{"role":"assistant","tool_calls":[)"
                    R"({"id":"a","function":{"name":"f","arguments":"{}"}},)"
                    R"({"id":"b","function":{"name":"f","arguments":"{}"}}]},)"
                    R"({"role":"tool","tool_call_id":"a","content":"1"},)"
                    R"({"role":"tool","tool_call_id":"a","content":"2"},)"
                    R"({"role":"assistant","tool_calls":[)"
                    R"({"id":"c","function":{"name":"f","arguments":"{}"}}]}])",
                    R"({"messages":[{"role":"user","content":[{"type":"text","text":"q"}]},)"
                    R"({"role":"assistant","content":[)"
                    R"({"type":"tool_use","id":"a","name":"f","input":{}},)"
                    R"({"type":"tool_use","id":"b","name":"f","input":{}}]},)"
                    R"({"role":"user","content":[)"
                    R"({"type":"tool_result","tool_use_id":"a","content":"1"},)"
                    R"~({"type":"tool_result","tool_use_id":"b","content":"(no result)"},)~"
                    R"({"type":"text","text":"[Result of a tool]\n2"}]},)"
                    R"({"role":"assistant","content":[)"
                    R"({"type":"tool_use","id":"c","name":"f","input":{}}]},)"
                    R"({"role":"user","content":[)"
                    R"~({"type":"tool_result","tool_use_id":"c","content":"(no result)"}]}]})~"},
        Translation{"ImagesKeepTheirForm",
                    R"([{"role":"user","content":[{"type":"image_url","image_url":{"url":)"
                    R"("data:image/png;base64,AA"}},{"type":"image_url","image_url":{"url":)"
                    R"("https://h/x"}}]}])",
                    R"({"messages":[{"role":"user","content":[{"type":"image","source":)"
                    R"({"type":"base64","media_type":"image/png","data":"AA"}},{"type":"image",)"
                    R"("source":{"type":"url","url":"https://h/x"}}]}]})"},
        Translation{"LastAssistantTextIsTrimmed",
                    R"([{"role":"user","content":"q"},{"role":"assistant","content":"Sure: \n"}])",
                    R"({"messages":[{"role":"user","content":[{"type":"text","text":"q"}]},)"
                    R"({"role":"assistant","content":[{"type":"text","text":"Sure:"}]}]})"},
        Translation{"AssistantFirstGetsAnOpening",
                    R"([{"role":"assistant","content":"Hello"},{"role":"user","content":"q"}])",
                    R"({"messages":[{"role":"user","content":[{"type":"text","text":)"
                    R"("[The assistant speaks first.]"}]},{"role":"assistant","content":[)"
                    R"({"type":"text","text":"Hello"}]},{"role":"user","content":[)"
                    R"({"type":"text","text":"q"}]}]})"},
        Translation{"BlankTextIsNotSent",
                    R"([{"role":"user","content":[{"type":"text","text":" "},)"
                    R"({"type":"text","text":"q"}]}])",
                    R"({"messages":[{"role":"user","content":[{"type":"text","text":"q"}]}]})"},
        Translation{"ForeignToolIdsAreRespelled",
                    R"([{"role":"user","content":"q"},{"role":"assistant","tool_calls":[)"
                    R"({"id":"a.b","function":{"name":"f","arguments":"{}"}}]},)"
                    R"({"role":"tool","tool_call_id":"a.b","content":"1"}])",
                    R"({"messages":[{"role":"user","content":[{"type":"text","text":"q"}]},)"
                    R"({"role":"assistant","content":[{"type":"tool_use","id":"x-a-2eb",)"
                    R"("name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result",)"
                    R"("tool_use_id":"x-a-2eb","content":"1"}]}]})"}),
    [](const auto& test) { return test.param.name; });

TEST(WriteAnthropicRequest, MapsEverySetting) {
  const Json body = as_anthropic(
      Dialect::kOpenAiChat,
      R"({"model":"m","max_tokens":7,"stream":true,"temperature":1.9,"top_p":0.5,"stop":["A"," "],)"
      R"("tools":[{"type":"function","function":{"name":"f","description":"d","parameters":)"
      R"({"properties":{}}}}],"tool_choice":"required","parallel_tool_calls":false,)"
      R"("response_format":{"type":"json_schema","json_schema":{"schema":{"properties":{}}}},)"
      R"("messages":[{"role":"user","content":"q"}]})");
  EXPECT_EQ(dump_json(body),
            R"({"model":"claude-x","max_tokens":7,"messages":[{"role":"user","content":[)"
            R"({"type":"text","text":"q"}]}],"tools":[{"name":"f","description":"d",)"
            R"("input_schema":{"properties":{},"type":"object"}}],"tool_choice":{"type":"any",)"
            R"("disable_parallel_tool_use":true},"stop_sequences":["A"],"output_config":)"
            R"({"format":{"type":"json_schema","schema":{"type":"object","properties":{},)"
            R"("additionalProperties":false}}},"stream":true})")
      << "and no sampling parameters";
}

TEST(WriteAnthropicRequest, OnlyAllowedToolsAreOffered) {
  const Json body = as_anthropic(
      Dialect::kOpenAiResponses,
      R"({"model":"m","input":"q","tools":[{"type":"function","name":"f"},{"type":"function",)"
      R"("name":"g"}],"tool_choice":{"type":"allowed_tools","mode":"required","tools":[)"
      R"({"type":"function","name":"g"}]}})");
  EXPECT_EQ(dump_json(body["tools"]), R"([{"name":"g","input_schema":{"type":"object"}}])");
  EXPECT_EQ(dump_json(body["tool_choice"]), R"({"type":"any"})");
}

TEST(WriteAnthropicRequest, ASchemaReachesClaudeFromEveryDialectWithItsObjectsClosed) {
  constexpr std::string_view kSchema =
      R"({"type":"object","properties":{"a":{"type":"array","items":{"properties":{}}},)"
      R"("b":{"type":"integer","minimum":1}}})";
  const std::string schema(kSchema);
  const std::pair<Dialect, std::string> rows[] = {
      {Dialect::kOpenAiChat, R"({"model":"m","messages":[{"role":"user","content":"q"}],)"
                             R"("response_format":{"type":"json_schema","json_schema":)"
                             R"({"name":"n","schema":)" +
                                 schema + "}}}"},
      {Dialect::kOpenAiResponses,
       R"({"model":"m","input":"q","text":{"format":{"type":"json_schema","name":"n","schema":)" +
           schema + "}}}"},
      {Dialect::kOllamaChat,
       R"({"model":"m","messages":[{"role":"user","content":"q"}],"format":)" + schema + "}"},
      {Dialect::kOllamaGenerate, R"({"model":"m","prompt":"q","format":)" + schema + "}"},
      {Dialect::kAnthropicMessages,
       R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"q"}],)"
       R"("output_config":{"format":{"type":"json_schema","schema":)" +
           schema + "}}}"}};
  for (const auto& [dialect, body] : rows) {
    const auto request = parse_request(dialect, body);
    ASSERT_TRUE(request.has_value()) << request.error().message;
    EXPECT_EQ(request->json_schema, schema);
    const auto sent = parse_json(write_anthropic_request(*request, "claude-x", {.max_tokens = 9}));
    EXPECT_EQ(dump_json(sent->at("output_config")),
              R"({"format":{"type":"json_schema","schema":{"type":"object","properties":{"a":)"
              R"({"type":"array","items":{"type":"object","properties":{},"additionalProperties":)"
              R"(false}},"b":{"type":"integer","description":"{\"minimum\":1}"}},)"
              R"("additionalProperties":false}}})");
  }
}

TEST(WriteAnthropicRequest, AlwaysSetsMaxTokens) {
  EXPECT_EQ(as_anthropic(R"([{"role":"user","content":"q"}])").at("max_tokens"), 4096);
}

TEST(WriteAnthropicRequest, NeverForwardsThinking) {
  const Json body = as_anthropic(
      Dialect::kAnthropicMessages,
      R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":"q"},{"role":"assistant",)"
      R"("content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"text","text":"a"}]},)"
      R"({"role":"user","content":"q"}]})");
  EXPECT_EQ(dump_json(body).find("thinking"), std::string::npos);
}

// --- Anthropic's own, forwarded
// -------------------------------------------------------------------

struct PassThrough {
  const char* name;
  const char* body;
  const char* expected;
};
void PrintTo(const PassThrough& row, std::ostream* out) {
  *out << row.name;
}

class PassThroughToClaude : public testing::TestWithParam<PassThrough> {};

TEST_P(PassThroughToClaude, ChangesOnlyWhatItMust) {
  const auto out = pass_through_anthropic_request(GetParam().body, "claude-x");
  ASSERT_TRUE(out.has_value()) << out.error().message;
  EXPECT_EQ(*out, GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    All, PassThroughToClaude,
    testing::Values(
        PassThrough{"ModelOnly",
                    "{ \"max_tokens\":1.0e2,\t\"model\" : \"auto\",\n \"x\":\"\\u00e9\\/\" } ",
                    "{ \"max_tokens\":1.0e2,\t\"model\" : \"claude-x\",\n \"x\":\"\\u00e9\\/\" } "},
        PassThrough{"AByteOrderMark", "\xEF\xBB\xBF{\"model\":\"c\"}", R"({"model":"claude-x"})"},
        PassThrough{"AByteOrderMarkAndNothingToChange", "\xEF\xBB\xBF{\"model\":\"claude-x\"}",
                    R"({"model":"claude-x"})"},
        PassThrough{"ModelIsTheSameAlready", R"({"model" : "claude\u002dx","x":1e2})",
                    R"({"model" : "claude\u002dx","x":1e2})"},
        PassThrough{"NestedModelIsNotTouched",
                    R"({"metadata":{"model":"a"},"s":"\"model\":\"b\"","model":"c"})",
                    R"({"metadata":{"model":"a"},"s":"\"model\":\"b\"","model":"claude-x"})"},
        PassThrough{
            "OwnMetadata",
            R"({"model":"c","metadata":{"priority":"low", "user_id":"u","task_class":"t"}})",
            R"({"model":"claude-x","metadata":{"user_id":"u"}})"},
        PassThrough{"AThreadIsNotHeldThere", R"({"thread": {"type":"create"},"model":"c"})",
                    R"({"thread": null,"model":"claude-x"})"},
        PassThrough{
            "SignedThinkingStays",
            R"({"model":"c","messages":[{"role":"assistant","content":[)"
            R"({"type":"thinking","thinking":"t","signature":"s"}, {"type":"text","text":"a"}]}]})",
            R"({"model":"claude-x","messages":[{"role":"assistant","content":[)"
            R"({"type":"thinking","thinking":"t","signature":"s"}, {"type":"text","text":"a"}]}]})"},
        PassThrough{
            "LocalThinkingGoes",
            R"({"model":"c","messages":[{"role":"assistant","content":[)"
            R"({"type":"thinking","thinking":"t","signature":""}, {"type":"text","text":"a"}]}]})",
            R"({"model":"claude-x","messages":[{"role":"assistant","content":[)"
            R"({"type":"text","text":"a"}]}]})"},
        PassThrough{
            "MessageOfLocalThinkingAloneGoes",
            R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[)"
            R"({"type":"thinking","thinking":"t"}]},{"role":"assistant","content":[)"
            R"({"type":"thinking","thinking":"t"},{"type":"text","text":"b"}]}],"model":"c"})",
            R"({"messages":[{"role":"user","content":"q"},{"role":"assistant","content":[)"
            R"({"type":"text","text":"b"}]}],"model":"claude-x"})"}),
    [](const auto& test) { return test.param.name; });

TEST(PassThroughAnthropicRequest, RefusesAnAmbiguousModel) {
  for (const char* body : {"{}", "[]", "", R"({"model":"a","model":"b"})",
                           R"({"model":"a","\u006dodel":"b"})", R"({"model":"a")"})
    EXPECT_FALSE(pass_through_anthropic_request(body, "claude-x").has_value()) << body;
}

TEST(FindTopLevelValue, FindsExactlyTheValue) {
  struct Row {
    const char* json;
    const char* key;
    const char* value;  // nullptr: nothing
  };
  const Row rows[] = {{R"({"a":1,"b":[{"a":2}] ,"c":"x\"}"})", "b", R"([{"a":2}])"},
                      {R"({"a":"\\","b":tru})", "b", "tru"},
                      {R"({"a":{"b":1}})", "b", nullptr},
                      {R"({"b":"}]\"","a":-1.5e3})", "a", "-1.5e3"},
                      {"\n{ \"a\"\t:\r\n null }", "a", "null"},
                      {R"({"a":1,"a":2})", "a", nullptr},
                      {R"({"\u0061":1})", "a", "1"},
                      {R"({"a\/b":1})", "a/b", "1"},
                      {"\xEF\xBB\xBF{\"a\":1}", "a", "1"},
                      {" \xEF\xBB\xBF{\"a\":1}", "a", nullptr},
                      {R"({"a":"unterminated)", "a", nullptr},
                      {R"({"a":1,})", "a", nullptr},
                      {R"({"a" 1})", "a", nullptr},
                      {"", "a", nullptr},
                      {R"(["a"])", "a", nullptr}};
  for (const Row& row : rows) {
    const std::string_view json = row.json;
    const auto found = find_top_level_value(json, row.key);
    ASSERT_EQ(found.has_value(), row.value != nullptr) << json;
    if (!found) continue;
    EXPECT_EQ(json.substr(found->begin, found->end - found->begin), row.value);
  }
}

// --- Claude's answers
// ------------------------------------------------------------------------------

struct SseFrame {
  std::string event, data;
};

// A recorded shape: thinking with signature, text, a tool call, a server tool, running totals.
std::vector<SseFrame> recorded_stream() {
  const auto block = [](int index, const std::string& content) {
    return SseFrame{"content_block_start", R"({"type":"content_block_start","index":)" +
                                               std::to_string(index) + R"(,"content_block":)" +
                                               content + "}"};
  };
  const auto delta = [](int index, const std::string& content) {
    return SseFrame{"content_block_delta", R"({"type":"content_block_delta","index":)" +
                                               std::to_string(index) + R"(,"delta":)" + content +
                                               "}"};
  };
  const auto stop = [](int index) {
    return SseFrame{"content_block_stop",
                    R"({"type":"content_block_stop","index":)" + std::to_string(index) + "}"};
  };
  return {
      {"message_start",
       R"({"type":"message_start","message":{"model":"claude-y","usage":{"input_tokens":25,)"
       R"("cache_creation_input_tokens":30,"cache_read_input_tokens":100,"cache_creation":)"
       R"({"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},"output_tokens":1}}})"},
      block(0, R"({"type":"thinking","thinking":"","signature":""})"),
      {"ping", R"({"type":"ping"})"},
      delta(0, R"({"type":"thinking_delta","thinking":"hm"})"),
      delta(0, R"({"type":"signature_delta","signature":"sig"})"),
      stop(0),
      block(1, R"({"type":"text","text":""})"),
      delta(1, R"({"type":"text_delta","text":"Hel"})"),
      delta(1, R"({"type":"citations_delta","citation":{}})"),
      delta(1, R"({"type":"text_delta","text":"lo"})"),
      stop(1),
      block(2, R"({"type":"server_tool_use","id":"s","name":"web_search","input":{}})"),
      delta(2, R"({"type":"input_json_delta","partial_json":"{\"query\":1}"})"),
      stop(2),
      block(3, R"({"type":"tool_use","id":"t1","name":"f","input":{}})"),
      delta(3, R"({"type":"input_json_delta","partial_json":""})"),
      delta(3, R"({"type":"input_json_delta","partial_json":"{\"a\""})"),
      delta(3, R"({"type":"input_json_delta","partial_json":":1}"})"),
      stop(3),
      block(4, R"({"type":"tool_use","id":"t2","name":"g","input":{"whole":true}})"),
      delta(4, R"({"type":"input_json_delta","partial_json":""})"),
      stop(4),
      {"new_event", R"({"type":"new_event","x":[]})"},
      {"message_delta",
       R"({"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},)"
       R"("usage":{"input_tokens":25,"cache_creation_input_tokens":30,)"
       R"("cache_read_input_tokens":100,"output_tokens":40}})"},
      {"message_delta", R"({"type":"message_delta","delta":{},"usage":{"output_tokens":42}})"},
      {"message_stop", R"({"type":"message_stop"})"}};
}

TEST(AnthropicStreamReader, ReadsEveryEventAndCountsUsageOnce) {
  AnthropicStreamReader reader;
  Collector collector;
  std::vector<StreamEvent> events;
  for (const SseFrame& frame : recorded_stream()) reader.on_event(frame.event, frame.data, events);
  for (const StreamEvent& event : events) collector.on(event);
  ASSERT_TRUE(collector.finished());
  EXPECT_TRUE(reader.finished());
  const Answer answer = collector.take();
  EXPECT_EQ(answer.model, "claude-y");
  ASSERT_EQ(answer.blocks.size(), 4u) << "the server tool's block is skipped";
  EXPECT_EQ(std::get<ThinkingBlock>(answer.blocks[0]).signature, "sig");
  EXPECT_EQ(std::get<TextBlock>(answer.blocks[1]).text, "Hello");
  EXPECT_EQ(std::get<ToolUseBlock>(answer.blocks[2]).input_json, R"({"a":1})");
  EXPECT_EQ(std::get<ToolUseBlock>(answer.blocks[3]).input_json, R"({"whole":true})");
  EXPECT_EQ(answer.reason, StopReason::kToolUse);
  EXPECT_EQ(answer.usage.input_tokens, 25);
  EXPECT_EQ(answer.usage.cache_read_tokens, 100);
  EXPECT_EQ(answer.usage.cache_write_5m_tokens, 10);
  EXPECT_EQ(answer.usage.cache_write_1h_tokens, 20);
  EXPECT_EQ(answer.usage.output_tokens, 42);
}

// Wherever the stream breaks off, the reader says so once and has the usage seen until then.
TEST(AnthropicStreamReader, ReportsAStreamThatBreaksOffAnywhere) {
  const auto frames = recorded_stream();
  for (std::size_t length = 0; length < frames.size(); ++length) {
    AnthropicStreamReader reader;
    std::vector<StreamEvent> events;
    for (std::size_t i = 0; i < length; ++i)
      reader.on_event(frames[i].event, frames[i].data, events);
    EXPECT_FALSE(reader.finished());
    EXPECT_EQ(reader.usage().input_tokens, length == 0 ? 0 : 25);
    reader.on_end(events);
    reader.on_end(events);
    const auto failures = std::count_if(events.begin(), events.end(), [](const auto& event) {
      return std::holds_alternative<Failed>(event);
    });
    EXPECT_EQ(failures, 1);
  }
}

// An event cut at any byte is not JSON: one failure, never a crash or a half-read answer.
TEST(AnthropicStreamReader, RefusesAnEventCutAtAnyByte) {
  for (const SseFrame& frame : recorded_stream())
    for (std::size_t bytes = 0; bytes < frame.data.size(); ++bytes) {
      AnthropicStreamReader reader;
      std::vector<StreamEvent> events;
      reader.on_event(frame.event, std::string_view(frame.data).substr(0, bytes), events);
      ASSERT_EQ(events.size(), 1u);
      EXPECT_TRUE(std::holds_alternative<Failed>(events[0]));
      EXPECT_TRUE(reader.finished());
    }
}

// A text split at every code point arrives whole.
TEST(AnthropicStreamReader, JoinsTextSplitAnywhere) {
  const std::string text = "a\"\\\n\xC3\xA9 </s>";
  for (std::size_t at = 0; at <= text.size(); ++at) {
    if (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0u) == 0x80u) continue;
    AnthropicStreamReader reader;
    Collector collector;
    std::vector<StreamEvent> events;
    reader.on_event(
        "", R"({"type":"content_block_start","index":0,"content_block":{"type":"text"}})", events);
    for (const std::string& piece : {text.substr(0, at), text.substr(at)}) {
      Json data = Json::object();
      data["type"] = "content_block_delta";
      data["delta"] = {{"type", "text_delta"}, {"text", piece}};
      reader.on_event("content_block_delta", dump_json(data), events);
    }
    reader.on_event("message_stop", R"({"type":"message_stop"})", events);
    for (const StreamEvent& event : events) collector.on(event);
    const Answer answer = collector.take();
    ASSERT_EQ(answer.blocks.size(), 1u);
    EXPECT_EQ(std::get<TextBlock>(answer.blocks[0]).text, text);
  }
}

TEST(AnthropicStreamReader, TurnsAnErrorInsideA200IntoAFailure) {
  AnthropicStreamReader reader;
  std::vector<StreamEvent> events;
  reader.on_event("error",
                  R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})",
                  events);
  reader.on_event("message_stop", R"({"type":"message_stop"})", events);
  ASSERT_EQ(events.size(), 1u);
  const auto& failed = std::get<Failed>(events[0]);
  EXPECT_EQ(failed.error.code, Code::kUnavailable);
  EXPECT_EQ(failed.error.message, "Overloaded");
  EXPECT_EQ(failed.upstream_type, "overloaded_error");
}

TEST(AnthropicStreamReader, PassesOverBlankDataWithoutAName) {
  AnthropicStreamReader reader;
  std::vector<StreamEvent> events;
  reader.on_event("", "", events);
  reader.on_event("", " ", events);
  EXPECT_TRUE(events.empty());
  reader.on_event("message_stop", R"({"type":"message_stop"})", events);
  EXPECT_TRUE(std::holds_alternative<Finished>(events.at(0)));
}

TEST(AnthropicStreamReader, CountsAnUnexplainedCacheWriteAsFiveMinutes) {
  AnthropicStreamReader reader;
  std::vector<StreamEvent> events;
  reader.on_event("message_start",
                  R"({"type":"message_start","message":{"usage":{"input_tokens":1,)"
                  R"("cache_creation_input_tokens":50,"output_tokens":1}}})",
                  events);
  EXPECT_EQ(reader.usage().cache_write_5m_tokens, 50);
}

TEST(ReadAnthropicAnswer, ReadsAWholeMessage) {
  const auto answer = read_anthropic_answer(
      R"({"id":"msg_1","type":"message","role":"assistant","model":"claude-y","content":[)"
      R"({"type":"text","text":"hi"},{"type":"tool_use","id":"t","name":"f","input":{"b":1,"a":2}},)"
      R"({"type":"redacted_thinking","data":"zz"}],"stop_reason":"stop_sequence",)"
      R"("stop_sequence":"END","usage":{"input_tokens":3,"output_tokens":4}})");
  ASSERT_TRUE(answer.has_value());
  ASSERT_EQ(answer->blocks.size(), 3u);
  EXPECT_EQ(std::get<ToolUseBlock>(answer->blocks[1]).input_json, R"({"b":1,"a":2})");
  EXPECT_EQ(std::get<OpaqueBlock>(answer->blocks[2]).type, "redacted_thinking");
  EXPECT_EQ(answer->reason, StopReason::kStopSequence);
  EXPECT_EQ(answer->stop_sequence, "END");
  EXPECT_EQ(answer->usage.output_tokens, 4);
}

TEST(ReadAnthropicAnswer, RefusesWhatIsNoMessage) {
  for (const char* body :
       {"", "<html>", "{}", R"({"type":"error"})", R"({"type":"message","content":"text"})"}) {
    const auto answer = read_anthropic_answer(body);
    ASSERT_FALSE(answer.has_value()) << body;
    EXPECT_EQ(answer.error().code, Code::kUpstream);
  }
}

TEST(ReadAnthropicError, KnowsWhatEachOneMeans) {
  struct Row {
    int status;
    const char* body;
    Code code;
    const char* type;
  };
  const Row rows[] = {
      {529, R"({"type":"error","error":{"type":"overloaded_error","message":"m"}})",
       Code::kUnavailable, "overloaded_error"},
      {429, R"({"type":"error","error":{"type":"rate_limit_error","message":"m"}})",
       Code::kExhausted, "rate_limit_error"},
      {401, R"({"type":"error","error":{"type":"authentication_error","message":"m"}})",
       Code::kConfig, "authentication_error"},
      {404, R"({"type":"error","error":{"type":"not_found_error","message":"m"}})", Code::kNotFound,
       "not_found_error"},
      {400, R"({"type":"error","error":{"type":"invalid_request_error","message":"m"}})",
       Code::kInvalid, "invalid_request_error"},
      {502, "<html>Bad gateway</html>", Code::kUpstream, ""},
      {503, "", Code::kUnavailable, ""},
      {529, "", Code::kUnavailable, ""},
      {418, R"({"error":{"type":"teapot_error","message":"m"}})", Code::kUpstream, "teapot_error"},
      {429, R"({"error":{"type":"api_error","message":"m"}})", Code::kExhausted, "api_error"},
      {408, R"({"error":{"type":"invalid_request_error","message":"m"}})", Code::kDeadline,
       "invalid_request_error"}};
  for (const Row& row : rows) {
    const Failed failed = read_anthropic_error(row.status, row.body);
    EXPECT_EQ(failed.error.code, row.code) << row.status << row.body;
    EXPECT_EQ(failed.upstream_type, row.type) << row.status << row.body;
    EXPECT_FALSE(failed.error.message.empty());
  }
}

}  // namespace
}  // namespace tophand::chat
