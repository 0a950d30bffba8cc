// Reads the dialects' streams as a client would, for cut_sweep_test.cc.
#include <gtest/gtest.h>

#include "base/json.h"
#include "server/cut_sweep_support.h"

namespace tophand::server::cut_sweep {
namespace {

void read_anthropic(const Json& data, Received& out) {
  const std::string type(string_or(data, "type", ""));
  if (type == "message_start") ++out.starts;
  if (type == "error") out.error = true;
  if (type == "message_stop") out.stopped = true;
  if (const Json* block = find_key(data, "content_block");
      block != nullptr && string_or(*block, "type", "") == "tool_use") {
    out.tool_ids.emplace_back(string_or(*block, "id", ""));
    out.inputs.emplace_back();
  }
  const Json* delta = find_key(data, "delta");
  if (type != "content_block_delta" || delta == nullptr) return;
  out.text += string_or(*delta, "text", "");
  if (!out.inputs.empty()) out.inputs.back() += string_or(*delta, "partial_json", "");
}

void read_openai(const Json& data, Received& out) {
  if (find_key(data, "error") != nullptr) out.error = true;
  const Json* choices = find_key(data, "choices");
  if (choices == nullptr || choices->empty()) return;
  const Json& choice = choices->at(0);
  const Json& delta = choice.at("delta");
  if (find_key(delta, "role") != nullptr) ++out.starts;
  out.text += string_or(delta, "content", "");
  const Json* calls = find_key(delta, "tool_calls");
  if (calls == nullptr) return;
  for (const Json& call : *calls) {
    if (const auto id = string_or(call, "id", ""); !id.empty()) {
      out.tool_ids.emplace_back(id);
      out.inputs.emplace_back();
    }
    if (!out.inputs.empty()) out.inputs.back() += string_or(call.at("function"), "arguments", "");
  }
}

void read_responses(const Json& data, Received& out) {
  const std::string type(string_or(data, "type", ""));
  if (type == "response.created") ++out.starts;
  if (type == "error" || type == "response.failed") out.error = true;
  if (type == "response.completed" || type == "response.incomplete") out.stopped = true;
  if (type == "response.output_text.delta") out.text += string_or(data, "delta", "");
  if (const Json* item = find_key(data, "item"); type == "response.output_item.added" &&
                                                 item != nullptr &&
                                                 string_or(*item, "type", "") == "function_call") {
    out.tool_ids.emplace_back(string_or(*item, "call_id", ""));
    out.inputs.emplace_back();
  }
  if (type == "response.function_call_arguments.delta" && !out.inputs.empty())
    out.inputs.back() += string_or(data, "delta", "");
}

void read_ollama(const Json& line, Received& out) {
  if (find_key(line, "error") != nullptr) {
    out.error = true;
    return;
  }
  out.stopped = out.stopped || line.at("done") == true;
  if (const Json* message = find_key(line, "message")) {
    out.text += string_or(*message, "content", "");
    if (const Json* calls = find_key(*message, "tool_calls"))
      for (const Json& call : *calls) {
        out.tool_ids.emplace_back("call_" + std::to_string(out.tool_ids.size()));
        out.inputs.push_back(dump_json(call.at("function").at("arguments")));
      }
  }
  out.text += string_or(line, "response", "");
}

}  // namespace

Received read_stream(chat::Dialect dialect, std::string_view bytes) {
  Received out;
  const bool lines =
      dialect == chat::Dialect::kOllamaChat || dialect == chat::Dialect::kOllamaGenerate;
  std::string flat;
  for (const char c : bytes)
    if (c != '\r') flat += c;
  const std::string mark = lines ? "\n" : "\n\n";
  std::size_t from = 0;
  for (std::size_t at; (at = flat.find(mark, from)) != std::string::npos; from = at + mark.size()) {
    std::string data = flat.substr(from, at - from);
    if (!lines) {
      const std::size_t found = data.find("data: ");
      if (found == std::string::npos) continue;  // a comment
      data.erase(0, found + 6);
      if (data == "[DONE]") {
        out.stopped = true;
        continue;
      }
    }
    const auto json = parse_json(data);
    if (!json) {
      out.broken = "not JSON: " + data;
      return out;
    }
    // Responses say a failure in two events.
    const bool second_of_two = out.error && string_or(*json, "type", "") == "response.failed";
    if (out.stopped || (out.error && !second_of_two))
      out.broken = "something behind the end: " + data;
    if (dialect == chat::Dialect::kAnthropicMessages) read_anthropic(*json, out);
    else if (dialect == chat::Dialect::kOpenAiResponses) read_responses(*json, out);
    else if (lines) read_ollama(*json, out);
    else read_openai(*json, out);
  }
  if (from != flat.size()) out.broken = "half a frame at the end: " + flat.substr(from);
  return out;
}

TEST(CutSweepReader, SeesWhatIsWrongWithAStream) {
  const auto openai = [](std::string_view bytes) {
    return read_stream(chat::Dialect::kOpenAiChat, bytes);
  };
  constexpr std::string_view kHi =
      R"(data: {"choices":[{"delta":{"role":"assistant","content":"hi"}}]})";
  const Received good = openai(std::string(kHi) + "\n\ndata: [DONE]\n\n");
  EXPECT_EQ(good.text, "hi");
  EXPECT_TRUE(good.stopped && !good.error && good.broken.empty());
  EXPECT_FALSE(openai(std::string(kHi)).broken.empty()) << "half a frame";
  EXPECT_FALSE(openai("data: {\n\n").broken.empty()) << "not JSON";
  EXPECT_FALSE(openai("data: [DONE]\n\n" + std::string(kHi) + "\n\n").broken.empty())
      << "content behind the end";
  EXPECT_EQ(openai(std::string(kHi) + "\n\n" + std::string(kHi) + "\n\n").starts, 2);
  EXPECT_TRUE(openai("data: {\"error\":{}}\n\n").error);
}

}  // namespace tophand::server::cut_sweep
