#include "chat/events.h"

#include "base/json.h"

namespace tophand::chat {

bool is_json_object(std::string_view text) {
  const auto parsed = parse_json(text);
  return parsed && parsed->is_object();
}

bool is_cut_off(StopReason reason) {
  return reason == StopReason::kMaxTokens || reason == StopReason::kContextFull;
}

StopReason settle_stop_reason(StopReason reported, ToolCallsSeen calls) {
  if (!calls.any) return reported == StopReason::kToolUse ? StopReason::kEndTurn : reported;
  if (reported == StopReason::kRefusal) return reported;
  return is_cut_off(reported) && !calls.last_is_whole ? reported : StopReason::kToolUse;
}

void Collector::on(const StreamEvent& event) {
  if (finished_ || failed_) return;
  if (call_over_ && !std::holds_alternative<Finished>(event)) close_block();
  const auto last = [this]<class Kind>(const Kind*) -> Kind* {
    return block_open_ ? std::get_if<Kind>(&answer_.blocks.back()) : nullptr;
  };
  if (const auto* started = std::get_if<Started>(&event)) {
    started_usage_ = started->usage;
    if (!started->model.empty()) answer_.model = started->model;
  } else if (const auto* text = std::get_if<TextDelta>(&event)) {
    if (text->text.empty()) return;
    auto* block = last(static_cast<TextBlock*>(nullptr));
    if (block == nullptr || block->refuses != text->refuses) {
      close_block();
      answer_.blocks.emplace_back(TextBlock{.text = {}, .refuses = text->refuses});
      block_open_ = true;
      block = &std::get<TextBlock>(answer_.blocks.back());
    }
    block->text += text->text;
  } else if (const auto* thinking = std::get_if<ThinkingDelta>(&event)) {
    if (thinking->text.empty() && thinking->signature.empty()) return;
    if (last(static_cast<ToolUseBlock*>(nullptr)) != nullptr) return;
    auto* block = last(static_cast<ThinkingBlock*>(nullptr));
    if (block == nullptr) {
      close_block();
      answer_.blocks.emplace_back(ThinkingBlock{});
      block_open_ = true;
      block = &std::get<ThinkingBlock>(answer_.blocks.back());
    }
    block->thinking += thinking->text;
    block->signature += thinking->signature;
  } else if (const auto* tool = std::get_if<ToolUseStart>(&event)) {
    close_block();
    answer_.blocks.emplace_back(ToolUseBlock{tool->id, tool->name, {}});
    block_open_ = true;
  } else if (const auto* json = std::get_if<ToolUseDelta>(&event)) {
    if (auto* block = last(static_cast<ToolUseBlock*>(nullptr))) block->input_json += json->json;
  } else if (std::holds_alternative<BlockEnd>(event)) {
    const auto* call = last(static_cast<ToolUseBlock*>(nullptr));
    call_over_ = call != nullptr && call->input_json.empty();
    if (!call_over_) close_block();
  } else if (const auto* done = std::get_if<Finished>(&event)) {
    finish(*done);
  } else if (const auto* failed = std::get_if<Failed>(&event)) {
    failed_ = *failed;
  }
}

// A call without arguments has none, unless it turns out that the limit came before them.
void Collector::close_block() {
  call_over_ = false;
  if (!block_open_) return;
  block_open_ = false;
  if (auto* tool = std::get_if<ToolUseBlock>(&answer_.blocks.back()))
    if (tool->input_json.empty()) tool->input_json = "{}";
}

void Collector::finish(const Finished& done) {
  if (!is_cut_off(done.reason)) close_block();
  ToolCallsSeen calls;
  std::string broken;
  for (const Block& block : answer_.blocks) {
    const auto* tool = std::get_if<ToolUseBlock>(&block);
    if (tool == nullptr) continue;
    calls = {.any = true, .last_is_whole = is_json_object(tool->input_json)};
    if (!calls.last_is_whole && broken.empty()) broken = tool->name;
  }
  answer_.reason = settle_stop_reason(done.reason, calls);
  if (!broken.empty() && !is_cut_off(answer_.reason) && answer_.reason != StopReason::kRefusal) {
    failed_ = broken_tool_call(broken);
    return;
  }
  answer_.stop_sequence = done.stop_sequence;
  answer_.usage = final_usage(started_usage_, done.usage);
  answer_.timing = done.timing;
  answer_.usage_said = done.usage_said;
  finished_ = true;
}

Answer Collector::take() {
  Answer out = std::move(answer_);
  *this = Collector();
  return out;
}

Failed broken_tool_call(std::string_view tool_name) {
  return Failed{{Code::kUpstream, "the model's call of tool '" + std::string(tool_name) +
                                      "' has arguments that are not a JSON object"},
                ""};
}

Usage final_usage(const Usage& started, const Usage& finished) {
  if (finished.total_input() != 0) return finished;
  Usage out = started;
  out.output_tokens = finished.output_tokens;
  return out;
}

}  // namespace tophand::chat
