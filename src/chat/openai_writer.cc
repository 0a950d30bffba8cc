// Answers of OpenAI's Chat Completions API, whole and streamed. docs/protocols/openai-chat.md.
#include "base/json.h"
#include "chat/answer_json.h"
#include "chat/block_sequencer.h"

namespace tophand::chat {
namespace {

constexpr std::int64_t kMsPerSecond = 1000;

Json envelope(const AnswerContext& context, const char* object) {
  Json out = Json::object();
  out["id"] = context.id;
  out["object"] = object;
  out["created"] = context.created_ms / kMsPerSecond;
  out["model"] = context.model;
  return out;
}

class OpenAiWriter final : public BlockSequencer {
 public:
  using BlockSequencer::BlockSequencer;

 private:
  static void send(const Json& data, std::string& out) {
    out += "data: ";
    out += dump_json(data);
    out += "\n\n";
  }

  // With include_usage every chunk but the last one says "usage":null.
  void send_chunk(Json delta, Json reason, std::string& out) const {
    Json chunk = envelope(context(), "chat.completion.chunk");
    Json choice = Json::object();
    choice["index"] = 0;
    choice["delta"] = std::move(delta);
    choice["logprobs"] = nullptr;
    choice["finish_reason"] = std::move(reason);
    chunk["choices"] = Json::array({std::move(choice)});
    if (context().include_usage) chunk["usage"] = nullptr;
    send(chunk, out);
  }

  void begin(const Started&, std::string& out) override {
    send_chunk({{"role", "assistant"}, {"content", ""}}, nullptr, out);
  }

  // A comment: keeps the connection alive and is no event to any client.
  void progress(std::string& out) override { out += ": keep-alive\n\n"; }

  static Json tool_call_delta(Json call) {
    Json delta = Json::object();
    delta["tool_calls"] = Json::array({std::move(call)});
    return delta;
  }

  void open(const OpenBlock& block, std::string& out) override {
    if (block.kind != BlockKind::kToolUse) return;
    Json call = Json::object();
    call["index"] = block.tool_index;
    call["id"] = block.tool_id;
    call["type"] = "function";
    call["function"] = {{"name", block.tool_name}, {"arguments", ""}};
    send_chunk(tool_call_delta(std::move(call)), nullptr, out);
  }

  void delta(const OpenBlock& block, const std::string& piece, std::string& out) override {
    Json delta = Json::object();
    switch (block.kind) {
      case BlockKind::kText:
        delta["content"] = piece;
        break;
      case BlockKind::kThinking:
        delta["reasoning_content"] = piece;
        break;
      case BlockKind::kToolUse: {
        Json call = Json::object();
        call["index"] = block.tool_index;
        call["function"]["arguments"] = piece;
        delta = tool_call_delta(std::move(call));
        break;
      }
    }
    send_chunk(std::move(delta), nullptr, out);
  }

  void close(const OpenBlock&, std::string&) override {}

  void finish(const Finished& finished, std::string& out) override {
    send_chunk(Json::object(), openai_finish_reason(finished.reason), out);
    if (context().include_usage) {
      Json chunk = envelope(context(), "chat.completion.chunk");
      chunk["choices"] = Json::array();
      chunk["usage"] = openai_usage(finished.usage);
      send(chunk, out);
    }
    out += "data: [DONE]\n\n";
  }

  // No [DONE] after an error: it would read as success.
  void failed(const Failed& failure, std::string& out) override {
    out += "data: ";
    out += write_error(Dialect::kOpenAiChat, failure.error, {});
    out += "\n\n";
  }
};

}  // namespace

std::string_view openai_finish_reason(StopReason reason) {
  switch (reason) {
    case StopReason::kMaxTokens:
    case StopReason::kContextFull:
      return "length";
    case StopReason::kToolUse:
      return "tool_calls";
    case StopReason::kRefusal:
      return "content_filter";
    default:
      return "stop";
  }
}

Json openai_usage(const Usage& usage) {
  Json out = Json::object();
  out["prompt_tokens"] = usage.total_input();
  out["completion_tokens"] = usage.output_tokens;
  out["total_tokens"] = usage.total_input() + usage.output_tokens;
  out["prompt_tokens_details"] = {{"cached_tokens", usage.cache_read_tokens}};
  return out;
}

std::unique_ptr<StreamWriter> make_openai_writer(AnswerContext context) {
  return std::make_unique<OpenAiWriter>(std::move(context));
}

std::string write_openai_answer(const AnswerContext& context, const Answer& answer) {
  std::string text, reasoning;
  bool has_text = false;
  Json calls = Json::array();
  for (const Block& block : answer.blocks) {
    if (const auto* part = std::get_if<TextBlock>(&block)) {
      text += part->text;
      has_text = true;
    } else if (const auto* thinking = std::get_if<ThinkingBlock>(&block)) {
      reasoning += thinking->thinking;
    } else if (const auto* tool = std::get_if<ToolUseBlock>(&block)) {
      Json call = Json::object();
      call["id"] = tool->id;
      call["type"] = "function";
      call["function"] = {{"name", tool->name}, {"arguments", tool->input_json}};
      calls.push_back(std::move(call));
    }
  }
  Json message = Json::object();
  message["role"] = "assistant";
  message["content"] = has_text || calls.empty() ? Json(text) : Json(nullptr);
  message["refusal"] = nullptr;
  if (!reasoning.empty()) message["reasoning_content"] = reasoning;
  if (!calls.empty()) message["tool_calls"] = std::move(calls);
  Json choice = Json::object();
  choice["index"] = 0;
  choice["message"] = std::move(message);
  choice["logprobs"] = nullptr;
  choice["finish_reason"] = openai_finish_reason(answer.reason);
  Json out = envelope(context, "chat.completion");
  out["choices"] = Json::array({std::move(choice)});
  out["usage"] = openai_usage(answer.usage);
  return dump_json(out);
}

}  // namespace tophand::chat
