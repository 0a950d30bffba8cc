// The engine worker's wire (docs/protocols/engine-worker.md), both ways.
#include <gtest/gtest.h>

#include "base/json.h"
#include "chat/dialect.h"
#include "chat/upstream.h"

namespace tophand::chat {
namespace {

Request sample_request() {
  Request request;
  request.messages = {
      {Role::kSystem, {TextBlock{"be brief"}}},
      {Role::kUser, {TextBlock{"one"}, TextBlock{"two"}, ImageBlock{"image/png", "AA", ""}}},
      {Role::kAssistant,
       {ThinkingBlock{"hm", ""}, TextBlock{"ok"}, ToolUseBlock{"t1", "f", R"({"b":1})"}}},
      {Role::kUser, {ToolResultBlock{"t1", "", "boom", true}, TextBlock{"go on"}}}};
  request.tools = {{"f", "does", R"({"type":"object"})"}};
  request.tool_choice = {ToolChoice::Kind::kNamed, "f"};
  request.max_tokens = 256;
  request.stop = {"END"};
  request.sampling.temperature = 0.7;
  request.sampling.top_k = 40;
  request.sampling.seed = 1;
  return request;
}

// Typed out from the protocol page.
TEST(EngineWire, WritesTheConversation) {
  EXPECT_EQ(
      write_engine_request(sample_request()),
      R"({"messages":[{"role":"system","content":"be brief"},)"
      R"({"role":"user","content":"one\ntwo"},)"
      R"({"role":"assistant","content":"ok","reasoning":"hm","tool_calls":[{"id":"t1","name":"f",)"
      R"("arguments":"{\"b\":1}"}]},)"
      R"({"role":"tool","content":"Error: boom","tool_name":"f","tool_call_id":"t1"},)"
      R"({"role":"user","content":"go on"}],)"
      R"("tools":[{"name":"f","description":"does","parameters":{"type":"object"}}],)"
      R"("tool_choice":{"name":"f"},"raw":false,"max_tokens":256,"stop":["END"],)"
      R"("sampling":{"temperature":0.7,"top_k":40,"seed":1}})");
}

TEST(EngineWire, ReadsBackWhatItWrites) {
  const std::string wire = write_engine_request(sample_request());
  const auto read = read_engine_request(wire);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(write_engine_request(*read), wire);
  EXPECT_EQ(read->tool_choice.kind, ToolChoice::Kind::kNamed);
  EXPECT_EQ(read->sampling.top_k, 40);
  EXPECT_FALSE(read->sampling.top_p.has_value());
  EXPECT_FALSE(read->think.has_value());
}

TEST(EngineWire, ForcesAToolWhateverItIsCalled) {
  for (const char* name : {"auto", "any", "none", "f"}) {
    Request request = sample_request();
    request.tools.front().name = name;
    request.tool_choice = {ToolChoice::Kind::kNamed, name};
    const auto read = read_engine_request(write_engine_request(request));
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_EQ(read->tool_choice.kind, ToolChoice::Kind::kNamed) << name;
    EXPECT_EQ(read->tool_choice.name, name);
  }
}

TEST(EngineWire, CarriesTheKindsOfChoice) {
  for (const auto kind :
       {ToolChoice::Kind::kAuto, ToolChoice::Kind::kAny, ToolChoice::Kind::kNone}) {
    Request request = sample_request();
    request.tool_choice = {kind};
    const auto read = read_engine_request(write_engine_request(request));
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_EQ(read->tool_choice.kind, kind);
  }
}

TEST(EngineWire, CarriesWhetherToThinkAndWhatWasThought) {
  Request request = sample_request();
  request.think = false;
  const auto read = read_engine_request(write_engine_request(request));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->think, false);
  bool found = false;
  for (const Message& message : read->messages)
    for (const Block& block : message.blocks)
      if (const auto* thought = std::get_if<ThinkingBlock>(&block))
        found = thought->thinking == "hm";
  EXPECT_TRUE(found);
}

TEST(EngineWire, RefusesWrongTypesByName) {
  const std::pair<const char*, const char*> rows[] = {
      {"{}", "messages: Field required"},
      {"[]", "expected an object, found an array"},
      {R"({"messages":[{"role":"robot"}]})", "messages[0].role: expected system"},
      {R"({"messages":[],"max_tokens":"a"})", "max_tokens: expected an integer"},
      {R"({"messages":[],"tool_choice":"f"})", "tool_choice: expected 'auto'"},
      {R"({"messages":[],"sampling":{"seed":0.5}})", "sampling.seed: expected an integer"},
      {R"({"messages":[],"think":"yes"})", "think: expected a boolean"},
      {R"({"messages":[],"stop":[1]})", "stop[0]: expected a string"}};
  for (const auto& [body, message] : rows) {
    const auto read = read_engine_request(body);
    ASSERT_FALSE(read.has_value()) << body;
    EXPECT_EQ(read.error().message.rfind(message, 0), 0u) << read.error().message;
  }
}

TEST(EngineWire, EventsKeepTheirFormAndContent) {
  const std::pair<StreamEvent, const char*> rows[] = {
      {Progress{512, 2048}, R"({"progress":{"done":512,"total":2048}})"},
      {Started{{.input_tokens = 148, .cache_read_tokens = 1900}, ""},
       R"({"started":{"input_tokens":2048,"cached_tokens":1900}})"},
      {TextDelta{"Hel\n\"\xC3\xA9"}, "{\"text\":\"Hel\\n\\\"\xC3\xA9\"}"},
      {ThinkingDelta{"hm", ""}, R"({"thinking":"hm"})"},
      {ToolUseStart{"t", "f"}, R"({"tool_start":{"id":"t","name":"f"}})"},
      {ToolUseDelta{"{\"path\":"}, R"({"tool_delta":"{\"path\":"})"},
      {BlockEnd{}, R"({"block_end":true})"},
      {Finished{StopReason::kContextFull,
                "END",
                {.input_tokens = 148, .cache_read_tokens = 1900, .output_tokens = 12},
                {1, 2, 3, 4}},
       R"({"finished":{"reason":"context_full","stop_sequence":"END","input_tokens":2048,)"
       R"("cached_tokens":1900,"output_tokens":12,"load_ns":1,"prefill_ns":2,"decode_ns":3,)"
       R"("total_ns":4}})"},
      {Failed{{Code::kTooLarge, "3000 tokens, 2048 fit"}, ""},
       R"({"failed":{"code":"too_large","message":"3000 tokens, 2048 fit"}})"}};
  for (const auto& [event, line] : rows) {
    EXPECT_EQ(write_engine_event(event), std::string(line) + "\n");
    const auto read = read_engine_event(line);
    ASSERT_TRUE(read.has_value()) << line;
    EXPECT_EQ(read->index(), event.index()) << line;
    EXPECT_EQ(write_engine_event(*read), std::string(line) + "\n");
  }
  const auto started = read_engine_event(rows[1].second);
  EXPECT_EQ(std::get<Started>(*started).usage.input_tokens, 148) << "uncached only";
}

TEST(EngineWire, RefusesLinesThatAreNoEvent) {
  for (const char* line : {"", "{", "[]", "{}", R"({"unheard_of":1})"})
    EXPECT_FALSE(read_engine_event(line).has_value()) << line;
}

TEST(EngineWire, UnknownFailureCodesAreTheUpstreams) {
  const auto read = read_engine_event(R"({"failed":{"code":"new_code","message":"m"}})");
  EXPECT_EQ(std::get<Failed>(*read).error.code, Code::kUpstream);
}

}  // namespace
}  // namespace tophand::chat
