// Answers of OpenAI's legacy Completions API, whole and streamed.
// docs/protocols/openai-completions.md. Text is all that its choices can hold: thoughts and tool
// calls are left out.
#include "base/json.h"
#include "chat/answer_json.h"
#include "chat/block_sequencer.h"

namespace tophand::chat {
namespace {

constexpr std::int64_t kMsPerSecond = 1000;

// There are no tool calls in this API.
std::string_view finish_reason(StopReason reason) {
  return reason == StopReason::kToolUse ? "stop" : openai_finish_reason(reason);
}

Json envelope(const AnswerContext& context, Json choices) {
  Json out = Json::object();
  out["id"] = context.id;
  out["object"] = "text_completion";
  out["created"] = context.created_ms / kMsPerSecond;
  out["model"] = context.model;
  out["choices"] = std::move(choices);
  return out;
}

Json choices_json(std::int64_t index, std::string text, Json reason) {
  Json choice = Json::object();
  choice["text"] = std::move(text);
  choice["index"] = index;
  choice["logprobs"] = nullptr;
  choice["finish_reason"] = std::move(reason);
  return Json::array({std::move(choice)});
}

class CompletionsWriter final : public BlockSequencer {
 public:
  using BlockSequencer::BlockSequencer;

 private:
  static void send(const Json& data, std::string& out) {
    out += "data: ";
    out += dump_json(data);
    out += "\n\n";
  }

  // With include_usage every chunk but the last one says "usage":null.
  void send_choice(std::string text, Json reason, std::string& out) const {
    Json chunk = envelope(
        context(), choices_json(choice_index(context()), std::move(text), std::move(reason)));
    if (context().include_usage) chunk["usage"] = nullptr;
    send(chunk, out);
  }

  void begin(const Started&, std::string&) override {}
  // A comment: keeps the connection alive and is no event to any client.
  void progress(std::string& out) override { out += ": keep-alive\n\n"; }
  void open(const OpenBlock&, std::string&) override {}

  void delta(const OpenBlock& block, const std::string& piece, std::string& out) override {
    if (block.kind == BlockKind::kText) send_choice(piece, nullptr, out);
  }

  void close(const OpenBlock&, std::string&) override {}

  void finish(const Finished& finished, std::string& out) override {
    send_choice("", finish_reason(finished.reason), out);
    const std::optional<Usage> usage = usage_at_end(context(), finished.usage);
    if (!usage) return;
    if (context().include_usage) {
      Json chunk = envelope(context(), Json::array());
      chunk["usage"] = openai_usage(*usage);
      send(chunk, out);
    }
    out += "data: [DONE]\n\n";
  }

  // No [DONE] after an error: it would read as success.
  void failed(const Failed& failure, std::string& out) override {
    out += "data: ";
    out += write_error(Dialect::kOpenAiCompletions, failure.error, {});
    out += "\n\n";
  }
};

}  // namespace

std::unique_ptr<StreamWriter> make_completions_writer(AnswerContext context) {
  return std::make_unique<CompletionsWriter>(std::move(context));
}

std::string write_completions_answer(const AnswerContext& context, const Answer& answer) {
  std::string text;
  for (const Block& block : answer.blocks)
    if (const auto* part = std::get_if<TextBlock>(&block)) text += part->text;
  Json out = envelope(context, choices_json(0, std::move(text), finish_reason(answer.reason)));
  out["usage"] = openai_usage(answer.usage);
  return dump_json(out);
}

}  // namespace tophand::chat
