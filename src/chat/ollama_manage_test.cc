#include "chat/ollama_manage.h"

#include <gtest/gtest.h>

namespace tophand::chat {
namespace {

TEST(OllamaNamedRequest, TakesNameForModel) {
  EXPECT_EQ(parse_ollama_named(R"({"name":"a","stream":false})")->model, "a");
  EXPECT_FALSE(parse_ollama_named(R"({"name":"a","stream":false})")->stream);
  EXPECT_EQ(parse_ollama_named(R"({"name":"a","model":"b","verbose":true})")->model, "b");
  EXPECT_EQ(parse_ollama_named("{}")->model, "");
  for (const char* body : {"", "[]", "{", R"({"model":7})", R"({"model":"a","stream":"no"})"})
    EXPECT_FALSE(parse_ollama_named(body)) << body;
}

TEST(OllamaCreateRequest, HasItsParts) {
  const auto create = parse_ollama_create(
      R"({"model":"m","from":"b","system":"S","template":"T","license":["x","y"],"stream":false,)"
      R"("parameters":{"stop":["a"],"temperature":0.5},"messages":[{"role":"user","content":"q"}],)"
      R"("files":{"w.gguf":"sha256:00"},"quantize":"q4_K_M","adapters":{"a":"b"}})");
  ASSERT_TRUE(create) << create.error().message;
  EXPECT_EQ(create->model, "m");
  EXPECT_EQ(create->from, "b");
  EXPECT_EQ(create->system, "S");
  EXPECT_TRUE(create->has_system && create->has_messages && create->has_adapters);
  EXPECT_EQ(create->chat_template, "T");
  EXPECT_EQ(create->licences, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(create->parameters_json, R"({"stop":["a"],"temperature":0.5})");
  EXPECT_EQ(create->messages_json, R"([{"role":"user","content":"q"}])");
  EXPECT_EQ(create->files.at(0), (std::pair<std::string, std::string>{"w.gguf", "sha256:00"}));
  EXPECT_EQ(create->quantize, "q4_K_M");
  EXPECT_FALSE(create->stream);
  EXPECT_EQ(parse_ollama_create(R"({"model":"m","license":"MIT"})")->licences.at(0), "MIT");
  for (const char* body : {R"({"model":"m","parameters":[]})", R"({"model":"m","messages":{}})",
                           R"({"model":"m","files":["a"]})", R"({"model":"m","files":{"a":1}})",
                           R"({"model":"m","license":[1]})", R"({"model":"m","system":1})"})
    EXPECT_FALSE(parse_ollama_create(body)) << body;
}

TEST(OllamaCreateRequest, TakesPathsOfItsOwnFolderOnly) {
  const auto with = [](const std::string& name) {
    return parse_ollama_create(R"({"model":"m","files":{")" + name + R"(":"sha256:00"}})");
  };
  for (const char* name : {"w.gguf", "a/b.gguf", "a..b", ".gguf", "w"})
    EXPECT_TRUE(with(name)) << name;
  for (const char* name : {"../x.gguf", "/etc/x.gguf", "a/../x", "a//x", "./x", "", "a/"}) {
    const auto create = with(name);
    ASSERT_FALSE(create) << name;
    EXPECT_TRUE(create.error().message.starts_with("file path must be relative")) << name;
  }
  for (const char* name : {"x.safetensors", "a/x.SafeTensors"})
    EXPECT_NE(with(name).error().message.find("safetensors are not read here"), std::string::npos);
}

TEST(OllamaCreateRequest, TakesMessagesOfThreeRoles) {
  const auto with = [](const std::string& message) {
    return parse_ollama_create(R"({"model":"m","messages":[{"role":"user","content":"q"},)" +
                               message + "]}");
  };
  for (const char* role : {"system", "user", "assistant", "Assistant"})
    EXPECT_TRUE(with(R"({"role":")" + std::string(role) + R"(","content":"x"})")) << role;
  EXPECT_EQ(with(R"({"role":"tool","content":"x"})").error().message,
            "messages[1].role: expected \"system\", \"user\" or \"assistant\", found \"tool\"");
  for (const char* message : {R"({"content":"x"})", R"({"role":7})", "7"})
    EXPECT_FALSE(with(message));
}

TEST(OllamaParameters, AreALineAValue) {
  EXPECT_EQ(ollama_parameter_lines(R"({"temperature":0.5,"stop":["a","b"]})"),
            "temperature                    0.5\n"
            "stop                           \"a\"\n"
            "stop                           \"b\"");
  EXPECT_EQ(ollama_parameter_lines("{}"), "");
  EXPECT_EQ(ollama_parameter_lines("["), "");
}

}  // namespace
}  // namespace tophand::chat
