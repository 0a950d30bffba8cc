// Answers of OpenAI's Chat Completions API, whole and streamed. docs/protocols/openai-chat.md.
#include "base/json.h"
#include "base/json_text.h"
#include "chat/answer_json.h"
#include "chat/block_sequencer.h"

namespace tophand::chat {
namespace {

constexpr std::int64_t kMsPerSecond = 1000;

// The members that every answer and chunk begins with; leaves the object open.
void open_envelope(const AnswerContext& context, std::string_view object, JsonText& json) {
  json.open('{').key("id").string(context.id);
  json.key("object").string(object);
  json.key("created").number(context.created_ms / kMsPerSecond);
  json.key("model").string(context.model);
}

void write_usage(const Usage& usage, JsonText& json) {
  json.key("usage").open('{');
  json.key("prompt_tokens").number(usage.total_input());
  json.key("completion_tokens").number(usage.output_tokens);
  json.key("total_tokens").number(usage.total_input() + usage.output_tokens);
  json.key("prompt_tokens_details").open('{');
  json.key("cached_tokens").number(usage.cache_read_tokens);
  json.key("cache_write_tokens").number(cache_writes(usage)).close('}');
  json.key("completion_tokens_details").open('{');
  json.key("reasoning_tokens").number(usage.thinking_tokens).close('}').close('}');
}

// `member`: "function" of a tool call, or "function_call", which came before those.
void write_function(std::string_view member, std::string_view name, std::string_view arguments,
                    JsonText& json) {
  json.key(member).open('{');
  json.key("name").string(name);
  json.key("arguments").string(arguments).close('}');
}

// `refuses`: the answer has a refusal, beside which the API says that it ended as any other.
std::string_view finish_reason(const AnswerContext& context, StopReason reason, bool refuses) {
  if (context.old_functions && reason == StopReason::kToolUse) return "function_call";
  if (refuses && reason == StopReason::kRefusal) return "stop";
  return openai_finish_reason(reason);
}

class OpenAiWriter final : public BlockSequencer {
 public:
  using BlockSequencer::BlockSequencer;

 private:
  // `delta` writes the members of the delta. With include_usage every chunk but the last one says
  // "usage":null.
  template <class Delta>
  void send_chunk(std::string_view reason, std::string& out, Delta delta) const {
    out += "data: ";
    JsonText json(out);
    open_envelope(context(), "chat.completion.chunk", json);
    json.key("choices").open('[').open('{').key("index").number(choice_index(context()));
    json.key("delta").open('{');
    delta(json);
    json.close('}').key("logprobs").null().key("finish_reason");
    if (reason.empty()) json.null();
    else json.string(reason);
    json.close('}').close(']');
    if (context().include_usage) json.key("usage").null();
    json.close('}');
    out += "\n\n";
  }

  // A second call, which the old form has no place for.
  bool is_left_out(const OpenBlock& block) const {
    return context().old_functions && block.kind == BlockKind::kToolUse && block.tool_index > 0;
  }

  void begin(const Started&, std::string& out) override {
    send_chunk("", out, [](JsonText& json) {
      json.key("role").string("assistant").key("content").string("");
    });
  }

  // A comment: keeps the connection alive and is no event to any client.
  void progress(std::string& out) override { out += ": keep-alive\n\n"; }

  void open(const OpenBlock& block, std::string& out) override {
    if (block.kind != BlockKind::kToolUse || is_left_out(block)) return;
    send_chunk("", out, [&](JsonText& json) {
      if (context().old_functions)
        return write_function("function_call", block.tool_name, "", json);
      json.key("tool_calls").open('[').open('{');
      json.key("index").number(block.tool_index).key("id").string(block.tool_id);
      json.key("type").string("function");
      write_function("function", block.tool_name, "", json);
      json.close('}').close(']');
    });
  }

  void delta(const OpenBlock& block, const std::string& piece, std::string& out) override {
    if (is_left_out(block)) return;
    refuses_ = refuses_ || block.refuses;
    send_chunk("", out, [&](JsonText& json) {
      switch (block.kind) {
        case BlockKind::kText:
          json.key(block.refuses ? "refusal" : "content").string(piece);
          return;
        case BlockKind::kThinking:
          json.key("reasoning_content").string(piece);
          return;
        case BlockKind::kToolUse:
          if (context().old_functions) {
            json.key("function_call").open('{').key("arguments").string(piece).close('}');
            return;
          }
          json.key("tool_calls").open('[').open('{').key("index").number(block.tool_index);
          json.key("function").open('{').key("arguments").string(piece).close('}');
          json.close('}').close(']');
      }
    });
  }

  void close(const OpenBlock&, std::string&) override {}

  void finish(const Finished& finished, std::string& out) override {
    send_chunk(finish_reason(context(), finished.reason, refuses_), out, [](JsonText&) {});
    const std::optional<Usage> usage = usage_at_end(context(), finished.usage);
    if (!usage) return;
    if (context().include_usage) {
      out += "data: ";
      JsonText json(out);
      open_envelope(context(), "chat.completion.chunk", json);
      json.key("choices").open('[').close(']');
      write_usage(*usage, json);
      json.close('}');
      out += "\n\n";
    }
    out += "data: [DONE]\n\n";
  }

  // No [DONE] after an error: it would read as success.
  void failed(const Failed& failure, std::string& out) override {
    out += "data: ";
    out += write_error(Dialect::kOpenAiChat, failure.error, {});
    out += "\n\n";
  }

  bool refuses_ = false;  // some of it was a refusal
};

// The first call, in the form that came before tool calls.
void write_function_call(const Answer& answer, JsonText& json) {
  for (const Block& block : answer.blocks)
    if (const auto* tool = std::get_if<ToolUseBlock>(&block))
      return write_function("function_call", tool->name, tool->input_json, json);
}

void write_tool_calls(const Answer& answer, JsonText& json) {
  json.key("tool_calls").open('[');
  for (const Block& block : answer.blocks) {
    const auto* tool = std::get_if<ToolUseBlock>(&block);
    if (tool == nullptr) continue;
    json.open('{').key("id").string(tool->id).key("type").string("function");
    write_function("function", tool->name, tool->input_json, json);
    json.close('}');
  }
  json.close(']');
}

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
  out["prompt_tokens_details"] = {{"cached_tokens", usage.cache_read_tokens},
                                  {"cache_write_tokens", cache_writes(usage)}};
  out["completion_tokens_details"] = {{"reasoning_tokens", usage.thinking_tokens}};
  return out;
}

std::unique_ptr<StreamWriter> make_openai_writer(AnswerContext context) {
  return std::make_unique<OpenAiWriter>(std::move(context));
}

std::string write_openai_answer(const AnswerContext& context, const Answer& answer) {
  std::string text, reasoning, refusal;
  bool has_text = false, has_calls = false;
  for (const Block& block : answer.blocks) {
    if (const auto* part = std::get_if<TextBlock>(&block)) {
      (part->refuses ? refusal : text) += part->text;
      has_text = has_text || !part->refuses;
    } else if (const auto* thinking = std::get_if<ThinkingBlock>(&block)) {
      reasoning += thinking->thinking;
    } else if (std::holds_alternative<ToolUseBlock>(block)) {
      has_calls = true;
    }
  }
  constexpr std::size_t kEnvelopeBytes = 512;
  std::string out;
  out.reserve(kEnvelopeBytes + text.size() + reasoning.size() + refusal.size());
  JsonText json(out);
  open_envelope(context, "chat.completion", json);
  json.key("choices").open('[').open('{').key("index").number(0);
  json.key("message").open('{').key("role").string("assistant").key("content");
  if (has_text || (!has_calls && refusal.empty())) json.string(text);
  else json.null();
  json.key("refusal");
  if (refusal.empty()) json.null();
  else json.string(refusal);
  if (!reasoning.empty()) json.key("reasoning_content").string(reasoning);
  if (has_calls && context.old_functions) write_function_call(answer, json);
  else if (has_calls) write_tool_calls(answer, json);
  json.close('}').key("logprobs").null();
  const std::string_view reason = finish_reason(context, answer.reason, !refusal.empty());
  json.key("finish_reason").string(reason).close('}').close(']');
  write_usage(answer.usage, json);
  json.close('}');
  return out;
}

}  // namespace tophand::chat
