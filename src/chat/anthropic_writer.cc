// Answers of the Anthropic Messages API, whole and streamed. docs/protocols/anthropic-messages.md.
#include "base/json.h"
#include "chat/answer_json.h"
#include "chat/block_sequencer.h"

namespace tophand::chat {
namespace {

Json usage_json(const Usage& usage) {
  Json out = Json::object();
  out["input_tokens"] = usage.input_tokens;
  out["cache_creation_input_tokens"] = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens;
  out["cache_read_input_tokens"] = usage.cache_read_tokens;
  out["cache_creation"] = {{"ephemeral_5m_input_tokens", usage.cache_write_5m_tokens},
                           {"ephemeral_1h_input_tokens", usage.cache_write_1h_tokens}};
  out["output_tokens"] = usage.output_tokens;
  out["service_tier"] = "standard";
  return out;
}

// What message_delta carries: running totals, without the breakdown.
Json delta_usage_json(const Usage& usage) {
  Json out = Json::object();
  out["input_tokens"] = usage.input_tokens;
  out["cache_creation_input_tokens"] = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens;
  out["cache_read_input_tokens"] = usage.cache_read_tokens;
  out["output_tokens"] = usage.output_tokens;
  return out;
}

Json stop_sequence_json(StopReason reason, const std::string& sequence) {
  return reason == StopReason::kStopSequence && !sequence.empty() ? Json(sequence) : Json(nullptr);
}

Json message_json(const AnswerContext& context, const Usage& usage) {
  Json out = Json::object();
  out["id"] = context.id;
  out["type"] = "message";
  out["role"] = "assistant";
  out["model"] = context.model;
  out["content"] = Json::array();
  out["stop_reason"] = nullptr;
  out["stop_sequence"] = nullptr;
  out["usage"] = usage_json(usage);
  return out;
}

Json block_json(const Block& block) {
  Json out = Json::object();
  if (const auto* text = std::get_if<TextBlock>(&block)) {
    out["type"] = "text";
    out["text"] = text->text;
  } else if (const auto* thinking = std::get_if<ThinkingBlock>(&block)) {
    out["type"] = "thinking";
    out["thinking"] = thinking->thinking;
    out["signature"] = thinking->signature;
  } else if (const auto* tool = std::get_if<ToolUseBlock>(&block)) {
    out["type"] = "tool_use";
    out["id"] = tool->id;
    out["name"] = tool->name;
    out["input"] = arguments_json(tool->input_json);
  } else if (const auto* opaque = std::get_if<OpaqueBlock>(&block)) {
    if (auto parsed = parse_json(opaque->json)) out = std::move(*parsed);
  }
  return out;
}

class AnthropicWriter final : public BlockSequencer {
 public:
  using BlockSequencer::BlockSequencer;

 private:
  static void send(const char* event, const Json& data, std::string& out) {
    out += "event: ";
    out += event;
    out += "\ndata: ";
    out += dump_json(data);
    out += "\n\n";
  }

  static Json typed(const char* type) {
    Json out = Json::object();
    out["type"] = type;
    return out;
  }

  void begin(const Started& started, std::string& out) override {
    Json data = typed("message_start");
    data["message"] = message_json(context(), started.usage);
    send("message_start", data, out);
    progress(out);
  }

  void progress(std::string& out) override { send("ping", typed("ping"), out); }

  void open(const OpenBlock& block, std::string& out) override {
    Json content = Json::object();
    switch (block.kind) {
      case BlockKind::kText:
        content = {{"type", "text"}, {"text", ""}};
        break;
      case BlockKind::kThinking:
        content = {{"type", "thinking"}, {"thinking", ""}, {"signature", ""}};
        break;
      case BlockKind::kToolUse:
        content = {{"type", "tool_use"},
                   {"id", block.tool_id},
                   {"name", block.tool_name},
                   {"input", Json::object()}};
        break;
    }
    Json data = typed("content_block_start");
    data["index"] = block.index;
    data["content_block"] = std::move(content);
    send("content_block_start", data, out);
  }

  static void send_delta(int index, const char* type, const char* key, const std::string& piece,
                         std::string& out) {
    Json data = typed("content_block_delta");
    data["index"] = index;
    data["delta"] = {{"type", type}, {key, piece}};
    send("content_block_delta", data, out);
  }

  void delta(const OpenBlock& block, const std::string& piece, std::string& out) override {
    switch (block.kind) {
      case BlockKind::kText:
        return send_delta(block.index, "text_delta", "text", piece, out);
      case BlockKind::kThinking:
        return send_delta(block.index, "thinking_delta", "thinking", piece, out);
      case BlockKind::kToolUse:
        return send_delta(block.index, "input_json_delta", "partial_json", piece, out);
    }
  }

  void close(const OpenBlock& block, std::string& out) override {
    if (!block.signature.empty())
      send_delta(block.index, "signature_delta", "signature", block.signature, out);
    Json data = typed("content_block_stop");
    data["index"] = block.index;
    send("content_block_stop", data, out);
  }

  void finish(const Finished& finished, std::string& out) override {
    Json data = typed("message_delta");
    data["delta"] = {
        {"stop_reason", anthropic_stop_reason(finished.reason)},
        {"stop_sequence", stop_sequence_json(finished.reason, finished.stop_sequence)}};
    data["usage"] = delta_usage_json(finished.usage);
    send("message_delta", data, out);
    send("message_stop", typed("message_stop"), out);
  }

  void failed(const Failed& failure, std::string& out) override {
    out += "event: error\ndata: ";
    out += write_error(Dialect::kAnthropicMessages, failure.error, {}, client_error_type(failure));
    out += "\n\n";
  }
};

}  // namespace

std::unique_ptr<StreamWriter> make_anthropic_writer(AnswerContext context) {
  return std::make_unique<AnthropicWriter>(std::move(context));
}

std::string write_anthropic_answer(const AnswerContext& context, const Answer& answer) {
  Json out = message_json(context, answer.usage);
  for (const Block& block : answer.blocks) out["content"].push_back(block_json(block));
  out["stop_reason"] = anthropic_stop_reason(answer.reason);
  out["stop_sequence"] = stop_sequence_json(answer.reason, answer.stop_sequence);
  return dump_json(out);
}

}  // namespace tophand::chat
