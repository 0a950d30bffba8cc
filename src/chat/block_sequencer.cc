#include "chat/block_sequencer.h"

namespace tophand::chat {

void BlockSequencer::on(const StreamEvent& event, std::int64_t now_ms, std::string& out) {
  if (ended_) return;
  now_ms_ = now_ms;
  const bool is_end = std::holds_alternative<Finished>(event);
  if (call_over_ && !is_end && !std::holds_alternative<Progress>(event)) close_open(out);
  if (const auto* started = std::get_if<Started>(&event)) {
    begin_once(*started, out);
  } else if (const auto* text = std::get_if<TextDelta>(&event)) {
    piece(BlockKind::kText, text->text, out, text->refuses);
  } else if (const auto* thinking = std::get_if<ThinkingDelta>(&event)) {
    // Late reasoning would have to interrupt the call: dropped.
    if (is_open_ && block_.kind == BlockKind::kToolUse) return;
    if (thinking->text.empty() && (thinking->signature.empty() || !shows_signatures())) return;
    ensure_open(BlockKind::kThinking, out).signature += thinking->signature;
    piece(BlockKind::kThinking, thinking->text, out);
  } else if (const auto* tool = std::get_if<ToolUseStart>(&event)) {
    start_tool(*tool, out);
  } else if (const auto* json = std::get_if<ToolUseDelta>(&event)) {
    if (is_open_ && block_.kind == BlockKind::kToolUse) piece(BlockKind::kToolUse, json->json, out);
  } else if (std::holds_alternative<BlockEnd>(event)) {
    // Whether a call has no arguments, or the limit came before them, tells what comes next.
    call_over_ = is_open_ && block_.kind == BlockKind::kToolUse && block_.tool_json.empty();
    if (!call_over_) close_open(out);
  } else if (std::holds_alternative<Progress>(event)) {
    begin_once({}, out);
    progress(out);
  } else if (const auto* finished = std::get_if<Finished>(&event)) {
    finish_once(*finished, out);
  } else if (const auto* failure = std::get_if<Failed>(&event)) {
    ended_ = true;
    failed(*failure, out);
  }
}

void BlockSequencer::begin_once(const Started& started, std::string& out) {
  if (begun_) return;
  begun_ = true;
  started_usage_ = started.usage;
  begin(started, out);
}

BlockSequencer::OpenBlock& BlockSequencer::ensure_open(BlockKind kind, std::string& out,
                                                       bool refuses) {
  if (is_open_ && block_.kind == kind && block_.refuses == refuses) return block_;
  begin_once({}, out);
  close_open(out);
  block_ = {.kind = kind, .index = blocks_++, .refuses = refuses};
  is_open_ = true;
  open(block_, out);
  return block_;
}

void BlockSequencer::piece(BlockKind kind, const std::string& text, std::string& out,
                           bool refuses) {
  if (text.empty()) return;
  OpenBlock& block = ensure_open(kind, out, refuses);
  if (kind == BlockKind::kToolUse) block.tool_json += text;
  delta(block, text, out);
}

void BlockSequencer::start_tool(const ToolUseStart& start, std::string& out) {
  begin_once({}, out);
  close_open(out);
  block_ = {.kind = BlockKind::kToolUse,
            .index = blocks_++,
            .tool_index = tools_++,
            .tool_id = start.id,
            .tool_name = start.name};
  is_open_ = true;
  open(block_, out);
}

void BlockSequencer::close_open(std::string& out) {
  call_over_ = false;
  if (!is_open_) return;
  if (block_.kind == BlockKind::kToolUse) {
    if (block_.tool_json.empty() && !cut_off_) piece(BlockKind::kToolUse, "{}", out);
    calls_ = {.any = true, .last_is_whole = is_json_object(block_.tool_json)};
    if (!calls_.last_is_whole && broken_tool_.empty()) broken_tool_ = block_.tool_name;
  }
  is_open_ = false;
  close(block_, out);
}

void BlockSequencer::finish_once(const Finished& finished, std::string& out) {
  begin_once({}, out);
  cut_off_ = is_cut_off(finished.reason);
  close_open(out);
  ended_ = true;
  Finished settled = finished;
  settled.reason = settle_stop_reason(finished.reason, calls_);
  settled.usage = final_usage(started_usage_, finished.usage);
  const bool incomplete = is_cut_off(settled.reason) || settled.reason == StopReason::kRefusal;
  if (!broken_tool_.empty() && !incomplete) failed(broken_tool_call(broken_tool_), out);
  else finish(settled, out);
}

std::unique_ptr<StreamWriter> make_stream_writer(Dialect dialect, AnswerContext context) {
  switch (dialect) {
    case Dialect::kAnthropicMessages:
      return make_anthropic_writer(std::move(context));
    case Dialect::kOpenAiChat:
      return make_openai_writer(std::move(context));
    case Dialect::kOpenAiResponses:
      return make_responses_writer(std::move(context));
    case Dialect::kOpenAiCompletions:
      return make_completions_writer(std::move(context));
    case Dialect::kOllamaChat:
      return make_ollama_writer(std::move(context), false);
    case Dialect::kOllamaGenerate:
      break;
  }
  return make_ollama_writer(std::move(context), true);
}

}  // namespace tophand::chat
