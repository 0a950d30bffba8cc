// What the Claude API answers: streams, whole messages, errors.
#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/json.h"
#include "base/json_view.h"
#include "chat/answer_json.h"
#include "chat/status_code.h"
#include "chat/too_long.h"
#include "chat/upstream.h"
#include "chat/upstream_parts.h"

namespace tophand::chat {
namespace {

void update(std::int64_t& count, JsonView usage, std::string_view key) {
  count = stated_tokens(usage, key, count);
}

// Takes what `usage` states and leaves the rest as it was. Cache writes come as a total and, in
// message_start, split by lifetime; a total that the split does not explain counts as 5 minutes,
// the API's default.
void update_usage(Usage& into, JsonView usage) {
  update(into.input_tokens, usage, "input_tokens");
  update(into.cache_read_tokens, usage, "cache_read_input_tokens");
  update(into.output_tokens, usage, "output_tokens");
  const JsonView split = usage["cache_creation"];
  update(into.cache_write_5m_tokens, split, "ephemeral_5m_input_tokens");
  update(into.cache_write_1h_tokens, split, "ephemeral_1h_input_tokens");
  std::int64_t total = into.cache_write_5m_tokens + into.cache_write_1h_tokens;
  const std::int64_t known = total;
  update(total, usage, "cache_creation_input_tokens");
  if (total > known) into.cache_write_5m_tokens += total - known;
  update(into.web_searches, usage["server_tool_use"], "web_search_requests");
  update(into.thinking_tokens, usage["output_tokens_details"], "thinking_tokens");
  if (const auto geo = string_or(usage, "inference_geo", ""); !geo.empty())
    into.us_only = geo == "us";
  if (const auto tier = string_or(usage, "service_tier", ""); !tier.empty())
    into.batch = tier == "batch";
}

// "iterations" list every sampling; the counts beside them hold all but the compactions (the SDK's
// BetaIterationsUsage says so).
void update_usage(AnthropicUsage& into, JsonView usage, bool at_end) {
  update_usage(into.own, usage);
  const std::int64_t output = int_or(usage, "output_tokens", -1);
  into.output_said = into.output_said || (at_end && output >= 0 && output <= kStatedTokensMax);
  const JsonView iterations = usage["iterations"];
  if (!iterations.is_array()) return;
  into.compactions = {};
  for (const JsonView iteration : iterations) {
    if (string_or(iteration, "type", "") != "compaction") continue;
    Usage one;
    update_usage(one, iteration);
    into.compactions.add_tokens(one);
  }
}

struct ErrorType {
  std::string_view type;
  int status;
};
// https://docs.claude.com/en/api/errors
constexpr std::array kErrorTypes{
    ErrorType{"invalid_request_error", 400},
    ErrorType{"authentication_error", 401},
    ErrorType{"billing_error", 402},
    ErrorType{"permission_error", 403},
    ErrorType{"not_found_error", 404},
    ErrorType{"conflict_error", 409},
    ErrorType{"request_too_large", 413},
    ErrorType{"rate_limit_error", 429},
    ErrorType{"api_error", 500},
    ErrorType{"timeout_error", 504},
    ErrorType{"overloaded_error", 529},
};

// The type counts where no status has come: inside a stream, in a batch.
Code code_for(std::string_view type, int status) {
  if (status != 0) return code_of_status(status);
  for (const ErrorType& known : kErrorTypes)
    if (known.type == type) return code_of_status(known.status);
  return Code::kUpstream;
}

// `status`: 0 for an error inside a response that is none.
Failed failed_from(JsonView body, int status) {
  const JsonView error = body["error"];
  std::string message = string_member(error, "message");
  std::string type = string_member(error, "type");
  if (message.empty()) message = type.empty() ? "the upstream reported an error" : type;
  const Code code = code_for(type, status);
  if (code == Code::kInvalid && told_prompt_size(message))
    return Failed{{Code::kPromptTooLong, std::move(message)}, std::move(type)};
  const bool is_model = code == Code::kNotFound && message.starts_with("model");
  return Failed{{code, std::move(message), is_model ? About::kModel : About::kOther},
                std::move(type)};
}

Failed unreadable(std::string why) {
  return Failed{{Code::kUpstream, "the upstream's stream cannot be read: " + std::move(why)}, ""};
}

std::optional<Block> read_block(JsonView block) {
  const std::string_view type = string_or(block, "type", "");
  if (type == "text") return TextBlock{string_member(block, "text")};
  if (type == "thinking")
    return ThinkingBlock{string_member(block, "thinking"), string_member(block, "signature")};
  if (type == "tool_use") {
    const JsonView input = block["input"];
    return ToolUseBlock{string_member(block, "id"), string_member(block, "name"),
                        input.is_object() ? dump_json(input.tree()) : "{}"};
  }
  if (type.empty()) return std::nullopt;
  return OpaqueBlock{std::string(type), dump_json(block.tree())};
}

}  // namespace

Usage AnthropicUsage::total() const {
  Usage all = own;
  all.add_tokens(compactions);
  return all;
}

void AnthropicStreamReader::on_event(std::string_view event, std::string_view data,
                                     std::vector<StreamEvent>& out) {
  // Proxies keep a connection alive with empty data. A named event without data was cut.
  if (finished_ || (event.empty() && is_blank(data))) return;
  const auto parsed = JsonDocument::parse(data);
  if (!parsed || !parsed->root().is_object()) {
    finished_ = true;
    out.emplace_back(unreadable(parsed ? "an event is not a JSON object" : parsed.error().message));
    return;
  }
  const JsonView root = parsed->root();
  const std::string_view type = string_or(root, "type", event);
  if (type == "message_start") {
    const JsonView message = root["message"];
    update_usage(usage_, message["usage"], false);
    out.emplace_back(Started{usage_.total(), string_member(message, "model")});
  } else if (type == "content_block_start") {
    block_ = int_or(root, "index", block_ + 1);
    start_block(root["content_block"], out);
  } else if (type == "content_block_delta") {
    // Blocks come one after another. What belongs to another than the last one would be that one's
    // arguments, or be lost.
    if (int_or(root, "index", block_) != block_) {
      finished_ = true;
      out.emplace_back(unreadable("a block goes on behind the next one's beginning"));
      return;
    }
    if (block_open_) continue_block(root["delta"], out);
  } else if (type == "content_block_stop") {
    if (int_or(root, "index", block_) == block_) end_block(out);
  } else if (type == "message_delta") {
    const JsonView delta = root["delta"];
    if (const auto reason = string_or(delta, "stop_reason", ""); !reason.empty())
      reason_ = stop_reason_from_anthropic(reason);
    stop_sequence_ = string_or(delta, "stop_sequence", stop_sequence_);
    update_usage(usage_, root["usage"], true);
  } else if (type == "message_stop") {
    finished_ = true;
    out.emplace_back(Finished{reason_, stop_sequence_, usage_.total(), {}, usage_.is_said()});
  } else if (type == "error") {
    finished_ = true;
    out.emplace_back(failed_from(root, 0));
  } else if (type == "ping") {
    out.emplace_back(Progress{});
  }
}

void AnthropicStreamReader::start_block(JsonView block, std::vector<StreamEvent>& out) {
  const std::string_view type = string_or(block, "type", "");
  tool_input_.clear();
  block_open_ = true;
  if (type == "text") {
    out.emplace_back(TextDelta{string_member(block, "text")});
  } else if (type == "thinking") {
    out.emplace_back(
        ThinkingDelta{string_member(block, "thinking"), string_member(block, "signature")});
  } else if (type == "tool_use") {
    out.emplace_back(ToolUseStart{string_member(block, "id"), string_member(block, "name")});
    const JsonView input = block["input"];
    if (input.is_object() && input.size() > 0) tool_input_ = dump_json(input.tree());
  } else {
    block_open_ = false;  // redacted thinking, server tools: only whoever made them reads them
  }
}

void AnthropicStreamReader::end_block(std::vector<StreamEvent>& out) {
  if (!tool_input_.empty()) out.emplace_back(ToolUseDelta{std::move(tool_input_)});
  tool_input_.clear();
  if (block_open_) out.emplace_back(BlockEnd{});
  block_open_ = false;
}

void AnthropicStreamReader::continue_block(JsonView delta, std::vector<StreamEvent>& out) {
  const std::string_view type = string_or(delta, "type", "");
  if (type == "text_delta") {
    out.emplace_back(TextDelta{string_member(delta, "text")});
  } else if (type == "thinking_delta") {
    out.emplace_back(ThinkingDelta{string_member(delta, "thinking"), {}});
  } else if (type == "signature_delta") {
    out.emplace_back(ThinkingDelta{{}, string_member(delta, "signature")});
  } else if (type == "input_json_delta") {
    std::string piece = string_member(delta, "partial_json");
    if (piece.empty()) return;
    tool_input_.clear();
    out.emplace_back(ToolUseDelta{std::move(piece)});
  }
}

void AnthropicStreamReader::on_end(std::vector<StreamEvent>& out) {
  if (finished_) return;
  finished_ = true;
  out.emplace_back(
      Failed{{Code::kUpstream, "the upstream's stream ended before its message did"}, ""});
}

Result<Answer> read_anthropic_answer(std::string_view body) {
  const auto parsed = JsonDocument::parse(body);
  if (!parsed)
    return fail(Code::kUpstream, "the upstream's answer cannot be read: " + parsed.error().message);
  const JsonView root = parsed->root();
  if (root["error"].is_object())  // with a status of 200, as in a stream
    return tl::unexpected(failed_from(root, 0).error);
  const JsonView content = root["content"];
  if (string_or(root, "type", "") != "message" || !content.is_array())
    return fail(Code::kUpstream, "the upstream's answer is not a message");
  Answer answer;
  answer.model = string_or(root, "model", "");
  for (const JsonView item : content)
    if (auto block = read_block(item)) answer.blocks.push_back(std::move(*block));
  answer.reason = stop_reason_from_anthropic(string_or(root, "stop_reason", "end_turn"));
  answer.stop_sequence = string_or(root, "stop_sequence", "");
  // What the limit cut reads like a whole call here, and must not be run.
  if (is_cut_off(answer.reason) && !answer.blocks.empty())
    if (auto* call = std::get_if<ToolUseBlock>(&answer.blocks.back())) call->input_json.clear();
  AnthropicUsage usage;
  update_usage(usage, root["usage"], true);
  answer.usage = usage.total();
  answer.usage_said = usage.is_said();
  return answer;
}

Failed read_anthropic_error(int status, std::string_view body) {
  const auto parsed = JsonDocument::parse(body);
  if (parsed && parsed->root()["error"].is_object()) return failed_from(parsed->root(), status);
  return Failed{{code_for("", status), "the upstream answered with status " +
                                           std::to_string(status) + " and no readable error"},
                ""};
}

}  // namespace tophand::chat
