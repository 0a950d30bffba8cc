// Answers of OpenAI's Responses API, whole and streamed. docs/protocols/openai-responses.md.
#include <algorithm>
#include <optional>

#include "base/json.h"
#include "chat/answer_json.h"
#include "chat/block_sequencer.h"

namespace tophand::chat {
namespace {

constexpr std::int64_t kMsPerSecond = 1000;

Json usage_json(const Usage& usage) {
  Json out = Json::object();
  out["input_tokens"] = usage.total_input();
  out["input_tokens_details"] = {{"cached_tokens", usage.cache_read_tokens},
                                 {"cache_write_tokens", cache_writes(usage)}};
  out["output_tokens"] = usage.output_tokens;
  out["output_tokens_details"] = {{"reasoning_tokens", usage.thinking_tokens}};
  out["total_tokens"] = usage.total_input() + usage.output_tokens;
  return out;
}

// Why an answer is incomplete; "" for one that is not, as is one that `refuses` in words of the
// provider's own for that.
std::string_view incomplete_reason(StopReason reason, bool refuses) {
  if (is_cut_off(reason)) return "max_output_tokens";
  return reason == StopReason::kRefusal && !refuses ? "content_filter" : "";
}

std::string_view status_of(std::string_view incomplete) {
  return incomplete.empty() ? "completed" : "incomplete";
}

// Of a call, whose arguments say it better than the end of the answer.
std::string_view call_status(std::string_view arguments) {
  return is_json_object(arguments) ? "completed" : "incomplete";
}

struct ResponseState {
  std::string_view status = "in_progress";
  std::string_view incomplete = {};
  Json error = nullptr;
  Json output = Json::array();
  Json usage = nullptr;
};

Json response_json(const AnswerContext& context, ResponseState state) {
  Json out = Json::object();
  out["id"] = context.id;
  out["object"] = "response";
  out["created_at"] = context.created_ms / kMsPerSecond;
  out["status"] = state.status;
  out["background"] = false;
  out["error"] = std::move(state.error);
  out["incomplete_details"] =
      state.incomplete.empty() ? Json(nullptr) : Json{{"reason", state.incomplete}};
  out["model"] = context.model;
  out["output"] = std::move(state.output);
  if (const auto echo = parse_json(context.echo_json); echo && echo->is_object())
    for (const auto& [key, value] : echo->items()) out[key] = value;
  if (context.keep) out["store"] = state.status != "failed";  // which is not kept
  out["usage"] = std::move(state.usage);
  return out;
}

// The whole response at its end, which is kept first where it may be.
std::string final_response(const AnswerContext& context, ResponseState state) {
  Json response = response_json(context, std::move(state));
  std::string text = dump_json(response);
  if (!context.keep || context.keep(text)) return text;
  response["store"] = false;
  return dump_json(response);
}

// Items are named after the answer and their place in it: unique, and the same whenever asked.
std::string item_id(std::string_view prefix, const AnswerContext& context, int index) {
  const std::string_view id = context.id;
  const std::size_t mark = id.find('_');
  return std::string(prefix) +
         std::string(mark == std::string_view::npos ? id : id.substr(mark + 1)) + "_" +
         std::to_string(index);
}

Json text_part(const std::string& text) {
  Json part = Json::object();
  part["type"] = "output_text";
  part["annotations"] = Json::array();
  part["logprobs"] = Json::array();
  part["text"] = text;
  return part;
}

Json refusal_part(const std::string& text) {
  Json part = Json::object();
  part["type"] = "refusal";
  part["refusal"] = text;
  return part;
}

Json thought_part(const std::string& text) {
  Json part = Json::object();
  part["type"] = "reasoning_text";
  part["text"] = text;
  return part;
}

Json message_item(const AnswerContext& context, int index, std::string_view status, Json content) {
  Json item = Json::object();
  item["id"] = item_id("msg_", context, index);
  item["type"] = "message";
  item["status"] = status;
  item["role"] = "assistant";
  item["content"] = std::move(content);
  return item;
}

Json reasoning_item(const AnswerContext& context, int index, std::string_view status,
                    Json content) {
  Json item = Json::object();
  item["id"] = item_id("rs_", context, index);
  item["type"] = "reasoning";
  item["status"] = status;
  item["summary"] = Json::array();
  item["content"] = std::move(content);
  return item;
}

struct Call {
  std::string id, name, arguments;
};

Json call_item(const AnswerContext& context, int index, std::string_view status, Call call) {
  Json item = Json::object();
  item["id"] = item_id("fc_", context, index);
  item["type"] = "function_call";
  item["status"] = status;
  item["arguments"] = std::move(call.arguments);
  item["call_id"] = call.id.empty() ? item_id("call_", context, index) : call.id;
  item["name"] = std::move(call.name);
  return item;
}

class ResponsesWriter final : public BlockSequencer {
 public:
  using BlockSequencer::BlockSequencer;

 private:
  // `data` without its type and sequence number, which come first.
  void send(const char* type, const Json& data, std::string& out) {
    Json event = Json::object();
    event["type"] = type;
    event["sequence_number"] = sequence_++;
    event.update(data);
    out += "event: ";
    out += type;
    out += "\ndata: ";
    out += dump_json(event);
    out += "\n\n";
  }

  void send_response(const char* type, ResponseState state, std::string& out) {
    Json data = Json::object();
    data["response"] = response_json(context(), std::move(state));
    send(type, data, out);
  }

  // The last event, with the whole response as it is kept.
  void send_final(std::string_view type, ResponseState state, std::string& out) {
    const std::string response = final_response(context(), std::move(state));
    out.append("event: ").append(type).append("\ndata: {\"type\":\"").append(type);
    out.append("\",\"sequence_number\":").append(std::to_string(sequence_++));
    out.append(",\"response\":").append(response).append("}\n\n");
  }

  // An event about the open item; `rest` follows its place.
  void send_about(const OpenBlock& block, const char* type, const Json& rest, std::string& out) {
    Json data = Json::object();
    data["item_id"] = item_["id"];
    data["output_index"] = block.index;
    if (block.kind != BlockKind::kToolUse) data["content_index"] = 0;
    data.update(rest);
    send(type, data, out);
  }

  void send_item(const OpenBlock& block, const char* type, std::string& out) {
    Json data = Json::object();
    data["output_index"] = block.index;
    data["item"] = item_;
    send(type, data, out);
  }

  void begin(const Started&, std::string& out) override {
    send_response("response.created", {}, out);
    send_response("response.in_progress", {}, out);
  }

  // A comment: keeps the connection alive and is no event to any client.
  void progress(std::string& out) override { out += ": keep-alive\n\n"; }

  void open(const OpenBlock& block, std::string& out) override {
    tell_ended("completed", out);
    refused_ = block.refuses;
    any_refuses_ = any_refuses_ || block.refuses;
    text_.clear();
    item_ = item(block, "in_progress", Json::array());
    send_item(block, "response.output_item.added", out);
    if (block.kind != BlockKind::kToolUse)
      send_about(block, "response.content_part.added", {{"part", part(block)}}, out);
  }

  void delta(const OpenBlock& block, const std::string& piece, std::string& out) override {
    Json rest = {{"delta", piece}};
    switch (block.kind) {
      case BlockKind::kText:
        text_ += piece;
        if (block.refuses) return send_about(block, "response.refusal.delta", rest, out);
        rest["logprobs"] = Json::array();
        return send_about(block, "response.output_text.delta", rest, out);
      case BlockKind::kThinking:
        text_ += piece;
        return send_about(block, "response.reasoning_text.delta", rest, out);
      case BlockKind::kToolUse:
        return send_about(block, "response.function_call_arguments.delta", rest, out);
    }
  }

  // Only what comes next says whether it was cut short.
  void close(const OpenBlock& block, std::string&) override { ended_ = block; }

  // The end of the item that ended last. A call whose arguments are no object is never said to be
  // done: clients run what is done.
  void tell_ended(std::string_view status, std::string& out) {
    if (!ended_) return;
    const OpenBlock block = std::move(*ended_);
    ended_.reset();
    if (block.kind == BlockKind::kToolUse) status = call_status(block.tool_json);
    item_ = item(block, status, Json::array({part(block)}));
    if (block.kind != BlockKind::kToolUse || status == "completed") {
      send_content_done(block, out);
      send_item(block, "response.output_item.done", out);
    }
    output_.push_back(std::move(item_));
  }

  void send_content_done(const OpenBlock& block, std::string& out) {
    switch (block.kind) {
      case BlockKind::kText:
        // The SDKs' helpers read the text of an answer as what was asked for, and throw at words.
        if (refused_) {
          send_about(block, "response.refusal.done", {{"refusal", text_}}, out);
          break;
        }
        send_about(block, "response.output_text.done",
                   {{"text", text_}, {"logprobs", Json::array()}}, out);
        break;
      case BlockKind::kThinking:
        send_about(block, "response.reasoning_text.done", {{"text", text_}}, out);
        break;
      case BlockKind::kToolUse:
        return send_about(block, "response.function_call_arguments.done",
                          {{"name", block.tool_name}, {"arguments", block.tool_json}}, out);
    }
    send_about(block, "response.content_part.done", {{"part", part(block)}}, out);
  }

  void finish(const Finished& finished, std::string& out) override {
    const std::string_view incomplete = incomplete_reason(finished.reason, any_refuses_);
    const std::string_view status = status_of(incomplete);
    refused_ = refused_ || incomplete == "content_filter";
    tell_ended(status, out);
    send_final(incomplete.empty() ? "response.completed" : "response.incomplete",
               {.status = status,
                .incomplete = incomplete,
                .output = std::move(output_),
                .usage = usage_json(finished.usage)},
               out);
  }

  // Both forms of failure: the SDKs raise the first and take the second for an answer, Codex knows
  // only the second.
  void failed(const Failed& failure, std::string& out) override {
    if (sequence_ == 0) begin({}, out);
    tell_ended("completed", out);
    const std::string_view code = responses_error_code(failure.error);
    const std::string message = client_message(Dialect::kOpenAiResponses, failure.error);
    // As the API's reference has it, and as the API sends it, which is what the Python SDK and the
    // AI SDK look into; the latter's version 5 takes it for nothing where it has no type.
    send("error",
         {{"code", code},
          {"message", message},
          {"param", nullptr},
          {"error",
           {{"type", responses_error_type(failure.error)},
            {"code", code},
            {"message", message},
            {"param", nullptr}}}},
         out);
    send_response("response.failed",
                  {.status = "failed",
                   .error = {{"code", code}, {"message", message}},
                   .output = std::move(output_)},
                  out);
  }

  Json part(const OpenBlock& block) const {
    if (block.kind == BlockKind::kThinking) return thought_part(text_);
    return refused_ ? refusal_part(text_) : text_part(text_);
  }

  Json item(const OpenBlock& block, std::string_view status, Json content) const {
    switch (block.kind) {
      case BlockKind::kText:
        return message_item(context(), block.index, status, std::move(content));
      case BlockKind::kThinking:
        return reasoning_item(context(), block.index, status, std::move(content));
      case BlockKind::kToolUse:
        break;
    }
    return call_item(context(), block.index, status,
                     {block.tool_id, block.tool_name, block.tool_json});
  }

  std::int64_t sequence_ = 0;
  std::string text_;                // of the open block, or of the one that ended last
  Json item_;                       // the same
  std::optional<OpenBlock> ended_;  // not told yet
  Json output_ = Json::array();
  bool refused_ = false;      // the text that came last says so
  bool any_refuses_ = false;  // some text did, as its provider told it
};

}  // namespace

std::unique_ptr<StreamWriter> make_responses_writer(AnswerContext context) {
  return std::make_unique<ResponsesWriter>(std::move(context));
}

std::string write_responses_answer(const AnswerContext& context, const Answer& answer) {
  ResponseState state;
  const bool refuses = std::ranges::any_of(answer.blocks, [](const Block& block) {
    const auto* text = std::get_if<TextBlock>(&block);
    return text != nullptr && text->refuses;
  });
  state.incomplete = incomplete_reason(answer.reason, refuses);
  state.status = status_of(state.incomplete);
  for (const Block& block : answer.blocks) {
    if (const auto* thinking = std::get_if<ThinkingBlock>(&block);
        thinking != nullptr && thinking->thinking.empty())
      continue;  // only its signature is known, which is its vendor's
    const int index = static_cast<int>(state.output.size());
    // What is last is what an answer that ended early was cut in.
    const bool is_last = &block == &answer.blocks.back();
    const std::string_view status = is_last ? state.status : "completed";
    if (const auto* text = std::get_if<TextBlock>(&block)) {
      const bool refusal = text->refuses || (is_last && state.incomplete == "content_filter");
      state.output.push_back(
          message_item(context, index, status,
                       Json::array({refusal ? refusal_part(text->text) : text_part(text->text)})));
    } else if (const auto* thinking = std::get_if<ThinkingBlock>(&block)) {
      state.output.push_back(
          reasoning_item(context, index, status, Json::array({thought_part(thinking->thinking)})));
    } else if (const auto* tool = std::get_if<ToolUseBlock>(&block)) {
      state.output.push_back(call_item(context, index, call_status(tool->input_json),
                                       {tool->id, tool->name, tool->input_json}));
    }
  }
  state.usage = usage_json(answer.usage);
  return final_response(context, std::move(state));
}

}  // namespace tophand::chat
