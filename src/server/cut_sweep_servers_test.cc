// Recorded streams of the servers of [[backends]], for cut_sweep_test.cc: written after what
// Ollama, llama-server and OpenAI-compatible servers send (docs/backends.md), some of it odd but
// legal.
#include <gtest/gtest.h>

#include "server/cut_sweep_support.h"

namespace tophand::server::cut_sweep {
namespace {

const std::string kTwo = "tw\xc3\xb6 ";  // a character of two bytes, which a cut may part
const std::string kText = "one " + kTwo + "three";

std::string ollama(const std::string& message, const std::string& rest = "\"done\":false") {
  return R"({"model":"m","created_at":"2026-11-01T00:00:00.1Z","message":{"role":"assistant",)" +
         message + "}," + rest + "}\n";
}
const std::string kOllamaEnd =
    ollama(R"("content":"")", R"("done":true,"done_reason":"stop","total_duration":9,)"
                              R"("prompt_eval_count":11,"eval_count":4,"eval_duration":2)");

std::string chunk(const std::string& delta, const char* reason = "null",
                  const std::string& rest = "") {
  return R"(data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":)"
         R"([{"index":0,"delta":{)" +
         delta + R"(},"finish_reason":)" + reason + "}]" + rest + "}\n\n";
}
std::string call(int index, const std::string& rest) {
  return chunk(R"("tool_calls":[{"index":)" + std::to_string(index) + "," + rest + "}]");
}
const std::string kUsage =
    R"("usage":{"prompt_tokens":11,"completion_tokens":4,"total_tokens":15})";
const std::string kUsageChunk = R"(data: {"object":"chat.completion.chunk","choices":[],)" +
                                kUsage + R"(,"timings":{"prompt_ms":1.5,"predicted_ms":2.5}})" +
                                "\n\n";
const std::string kRole = chunk(R"("role":"assistant","content":null)");
const std::string kDone = "data: [DONE]\n\n";

std::string with_crlf(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '\n' ? "\r\n" : std::string(1, c);
  return out;
}

}  // namespace

std::vector<Recording> server_recordings() {
  const std::vector<std::string> calls = {R"({"path":"a"})", "{}"};
  return {
      {"ollama text",
       "ollama",
       ollama(R"("content":"","thinking":"Hm")") + ollama(R"("content":"one ")") +
           ollama("\"content\":\"" + kTwo + "\"") + ollama(R"("content":"three")") + kOllamaEnd,
       kText,
       {}},
      {"ollama tools", "ollama",
       ollama(R"("content":"Look:")") +
           ollama(R"("content":"","tool_calls":[{"id":"a","function":{"index":0,"name":"read",)"
                  R"("arguments":{"path":"a"}}}])") +
           ollama(R"("content":"","tool_calls":[{"function":{"name":"now","arguments":{}}}])") +
           kOllamaEnd,
       "Look:", calls},
      {"llama-server text",
       "llama-server",
       kRole + chunk(R"("reasoning_content":"Hm")") + chunk(R"("content":"one ")") +
           chunk("\"content\":\"" + kTwo + "\"") + chunk(R"("content":"three")") +
           chunk("", "\"stop\"") + kUsageChunk + kDone,
       kText,
       {}},
      {"llama-server tools", "llama-server",
       kRole + chunk(R"("content":"Look:")") +
           call(0, R"("id":"a","type":"function","function":{"name":"read","arguments":"{"})") +
           call(0, R"("function":{"arguments":"\"path\":"})") +
           call(0, R"("function":{"arguments":"\"a\"}"})") +
           call(1, R"("id":"b","type":"function","function":{"name":"now","arguments":"{}"})") +
           chunk("", "\"tool_calls\"") + kUsageChunk + kDone,
       "Look:", calls},
      {"openai text, odd but legal",
       "openai",
       with_crlf(": a comment\n\nevent: message\nid: 7\nretry: 10\n" + kRole +
                 chunk(R"("content":"")") + chunk(R"("content":"one ")") +
                 "data: {\"unknown\":[{}],\ndata: \"choices\":[{\"index\":0,\ndata: \"delta\":"
                 "{\"content\":\"tw\\u00f6 \"}}]}\n\n: another\n\n" +
                 chunk(R"("content":"three")", "\"stop\"") + kDone),
       kText,
       {}},
      {"vllm tools, one inside the other", "vllm",
       chunk(R"("role":"assistant","content":"Look:")") +
           call(0, R"("id":"a","type":"function","function":{"name":"read","arguments":""})") +
           call(1, R"("id":"b","type":"function","function":{"name":"now","arguments":""})") +
           call(0, R"("function":{"arguments":"{\"path\""})") +
           call(1, R"("function":{"arguments":"{"})") +
           call(0, R"("function":{"arguments":":\"a\"}"})") +
           call(1, R"("function":{"arguments":"}"})") + chunk("", "\"stop\"", "," + kUsage) + kDone,
       "Look:", calls},
  };
}

TEST(CutSweepRecordings, HoldMoreThanOnePieceEach) {
  for (const Recording& recording : server_recordings())
    EXPECT_GT(recording.bytes.size(), 4 * 64u) << recording.name;
}

}  // namespace tophand::server::cut_sweep
