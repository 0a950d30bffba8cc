// Answers of Ollama's /api/chat and /api/generate, whole and streamed. docs/protocols/ollama.md.
#include <algorithm>

#include "base/json.h"
#include "chat/answer_json.h"
#include "chat/block_sequencer.h"

namespace tophand::chat {
namespace {

std::string_view done_reason(StopReason reason) {
  return is_cut_off(reason) ? "length" : "stop";
}

Json line_json(const AnswerContext& context, std::int64_t now_ms) {
  Json out = Json::object();
  out["model"] = context.model;
  out["created_at"] = rfc3339(now_ms, TimePrecision::kNanoseconds);
  return out;
}

Json tool_call_json(const std::string& id, const std::string& name, const std::string& arguments,
                    int index) {
  Json call = Json::object();
  call["id"] = id;
  call["function"] = {{"index", index}, {"name", name}, {"arguments", arguments_json(arguments)}};
  return call;
}

// A backend that tells no total has its parts.
void add_metrics(Json& line, const Usage& usage, const Timing& timing) {
  line["total_duration"] =
      std::max(timing.total_ns, timing.load_ns + timing.prefill_ns + timing.decode_ns);
  line["load_duration"] = timing.load_ns;
  line["prompt_eval_count"] = usage.total_input();
  line["prompt_eval_duration"] = timing.prefill_ns;
  line["eval_count"] = usage.output_tokens;
  line["eval_duration"] = timing.decode_ns;
}

// What one line says; chat puts it into "message", generate beside the rest.
struct Content {
  std::string text, thinking;
  Json tool_calls = Json::array();
};

void add_content(Json& line, Content content, bool generate) {
  Json message = Json::object();
  Json& into = generate ? line : message;
  if (!generate) into["role"] = "assistant";
  into[generate ? "response" : "content"] = std::move(content.text);
  if (!content.thinking.empty()) into["thinking"] = std::move(content.thinking);
  if (!content.tool_calls.empty()) into["tool_calls"] = std::move(content.tool_calls);
  if (!generate) line["message"] = std::move(message);
}

class OllamaWriter final : public BlockSequencer {
 public:
  OllamaWriter(AnswerContext context, bool generate)
      : BlockSequencer(std::move(context)), generate_(generate) {}

 private:
  void send(Content content, std::string& out) const {
    Json line = line_json(context(), now_ms());
    add_content(line, std::move(content), generate_);
    line["done"] = false;
    out += dump_json(line);
    out += '\n';
  }

  void begin(const Started&, std::string&) override {}
  // An empty piece: clients append it, and it keeps their read timeouts from running out.
  void progress(std::string& out) override { send({}, out); }
  void open(const OpenBlock&, std::string&) override {}

  void delta(const OpenBlock& block, const std::string& piece, std::string& out) override {
    Content content;
    if (block.kind == BlockKind::kToolUse) return;  // sent whole when it closes
    (block.kind == BlockKind::kText ? content.text : content.thinking) = piece;
    send(std::move(content), out);
  }

  void close(const OpenBlock& block, std::string& out) override {
    if (block.kind != BlockKind::kToolUse || !is_json_object(block.tool_json)) return;
    Content content;
    content.tool_calls.push_back(
        tool_call_json(block.tool_id, block.tool_name, block.tool_json, block.tool_index));
    send(std::move(content), out);
  }

  void finish(const Finished& finished, std::string& out) override {
    Json line = line_json(context(), now_ms());
    add_content(line, {}, generate_);
    line["done"] = true;
    line["done_reason"] = done_reason(finished.reason);
    add_metrics(line, finished.usage, finished.timing);
    out += dump_json(line);
    out += '\n';
  }

  void failed(const Failed& failure, std::string& out) override {
    out += write_error(Dialect::kOllamaChat, failure.error, {});
    out += '\n';
  }

  bool generate_;
};

}  // namespace

std::unique_ptr<StreamWriter> make_ollama_writer(AnswerContext context, bool generate) {
  return std::make_unique<OllamaWriter>(std::move(context), generate);
}

std::string write_ollama_answer(const AnswerContext& context, const Answer& answer, bool generate) {
  Content content;
  int tool_index = 0;
  for (const Block& block : answer.blocks) {
    if (const auto* text = std::get_if<TextBlock>(&block)) content.text += text->text;
    if (const auto* thinking = std::get_if<ThinkingBlock>(&block))
      content.thinking += thinking->thinking;
    const auto* tool = std::get_if<ToolUseBlock>(&block);
    if (tool == nullptr || !is_json_object(tool->input_json)) continue;
    content.tool_calls.push_back(
        tool_call_json(tool->id, tool->name, tool->input_json, tool_index++));
  }
  Json line = line_json(context, context.created_ms);
  add_content(line, std::move(content), generate);
  line["done"] = true;
  line["done_reason"] = done_reason(answer.reason);
  add_metrics(line, answer.usage, answer.timing);
  return dump_json(line);
}

std::string write_ollama_load(Dialect dialect, const AnswerContext& context, bool unloaded) {
  Json line = line_json(context, context.created_ms);
  add_content(line, {}, dialect == Dialect::kOllamaGenerate);
  line["done"] = true;
  line["done_reason"] = unloaded ? "unload" : "load";
  return dump_json(line);
}

}  // namespace tophand::chat
