// Answers of the Anthropic Messages API, whole and streamed. docs/protocols/anthropic-messages.md.
#include "base/json.h"
#include "base/json_text.h"
#include "chat/answer_json.h"
#include "chat/block_sequencer.h"
#include "chat/tool_id.h"

namespace tophand::chat {
namespace {

void write_usage(const Usage& usage, JsonText& json) {
  json.open('{').key("input_tokens").number(usage.input_tokens);
  json.key("cache_creation_input_tokens");
  json.number(usage.cache_write_5m_tokens + usage.cache_write_1h_tokens);
  json.key("cache_read_input_tokens").number(usage.cache_read_tokens);
  json.key("cache_creation").open('{');
  json.key("ephemeral_5m_input_tokens").number(usage.cache_write_5m_tokens);
  json.key("ephemeral_1h_input_tokens").number(usage.cache_write_1h_tokens).close('}');
  json.key("output_tokens").number(usage.output_tokens);
  json.key("service_tier").string("standard").close('}');
}

// What message_delta carries: running totals, without the breakdown.
void write_delta_usage(const Usage& usage, JsonText& json) {
  json.open('{').key("input_tokens").number(usage.input_tokens);
  json.key("cache_creation_input_tokens");
  json.number(usage.cache_write_5m_tokens + usage.cache_write_1h_tokens);
  json.key("cache_read_input_tokens").number(usage.cache_read_tokens);
  json.key("output_tokens").number(usage.output_tokens).close('}');
}

// Why it ended; null in a message that has only begun.
void write_stop(const StopReason* reason, const std::string& sequence, JsonText& json) {
  json.key("stop_reason");
  if (reason == nullptr) json.null();
  else json.string(anthropic_stop_reason(*reason));
  json.key("stop_sequence");
  if (reason == nullptr || *reason != StopReason::kStopSequence || sequence.empty()) json.null();
  else json.string(sequence);
}

void write_block(const Block& block, JsonText& json) {
  if (const auto* opaque = std::get_if<OpaqueBlock>(&block)) {
    const auto parsed = parse_json(opaque->json);
    json.raw(parsed ? dump_json(*parsed) : "{}");
    return;
  }
  json.open('{');
  if (const auto* text = std::get_if<TextBlock>(&block)) {
    json.key("type").string("text").key("text").string(text->text);
  } else if (const auto* thinking = std::get_if<ThinkingBlock>(&block)) {
    json.key("type").string("thinking").key("thinking").string(thinking->thinking);
    json.key("signature").string(thinking->signature);
  } else if (const auto* tool = std::get_if<ToolUseBlock>(&block)) {
    json.key("type").string("tool_use").key("id").string(wire_tool_id(tool->id));
    json.key("name").string(tool->name);
    json.key("input").raw(dump_json(arguments_json(tool->input_json)));
  }
  json.close('}');
}

// A message, `content` and how it ended written by the caller.
template <class Content>
void write_message(const AnswerContext& context, const Usage& usage, Content content,
                   JsonText& json) {
  json.open('{').key("id").string(context.id);
  json.key("type").string("message").key("role").string("assistant");
  json.key("model").string(context.model);
  content(json);
  json.key("usage");
  write_usage(usage, json);
  json.close('}');
}

class AnthropicWriter final : public BlockSequencer {
 public:
  using BlockSequencer::BlockSequencer;

 private:
  // One event of a type; `members` writes what it has beside the type.
  template <class Members>
  static void send(std::string_view type, std::string& out, Members members) {
    ((out += "event: ") += type) += "\ndata: ";
    JsonText json(out);
    json.open('{').key("type").string(type);
    members(json);
    json.close('}');
    out += "\n\n";
  }

  void begin(const Started& started, std::string& out) override {
    send("message_start", out, [&](JsonText& json) {
      json.key("message");
      const auto nothing_yet = [](JsonText& message) {
        message.key("content").open('[').close(']');
        write_stop(nullptr, "", message);
      };
      write_message(context(), started.usage, nothing_yet, json);
    });
    progress(out);
  }

  bool shows_signatures() const override { return true; }

  void progress(std::string& out) override {
    send("ping", out, [](JsonText&) {});
  }

  void open(const OpenBlock& block, std::string& out) override {
    send("content_block_start", out, [&](JsonText& json) {
      json.key("index").number(block.index).key("content_block").open('{').key("type");
      switch (block.kind) {
        case BlockKind::kText:
          json.string("text").key("text").string("");
          break;
        case BlockKind::kThinking:
          json.string("thinking").key("thinking").string("").key("signature").string("");
          break;
        case BlockKind::kToolUse:
          json.string("tool_use").key("id").string(wire_tool_id(block.tool_id));
          json.key("name").string(block.tool_name).key("input").open('{').close('}');
          break;
      }
      json.close('}');
    });
  }

  static void send_delta(int index, std::string_view type, std::string_view key,
                         const std::string& piece, std::string& out) {
    send("content_block_delta", out, [&](JsonText& json) {
      json.key("index").number(index).key("delta").open('{');
      json.key("type").string(type).key(key).string(piece).close('}');
    });
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
    send("content_block_stop", out, [&](JsonText& json) { json.key("index").number(block.index); });
  }

  void finish(const Finished& finished, std::string& out) override {
    send("message_delta", out, [&](JsonText& json) {
      json.key("delta").open('{');
      write_stop(&finished.reason, finished.stop_sequence, json);
      json.close('}').key("usage");
      write_delta_usage(finished.usage, json);
    });
    send("message_stop", out, [](JsonText&) {});
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
  constexpr std::size_t kUsualBytes = 1024;
  std::string out;
  out.reserve(kUsualBytes);
  JsonText json(out);
  const auto content = [&](JsonText& message) {
    message.key("content").open('[');
    for (const Block& block : answer.blocks) write_block(block, message);
    message.close(']');
    write_stop(&answer.reason, answer.stop_sequence, message);
  };
  write_message(context, answer.usage, content, json);
  return out;
}

}  // namespace tophand::chat
