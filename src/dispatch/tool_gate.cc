#include "dispatch/tool_gate.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/ascii.h"
#include "base/json.h"
#include "base/random.h"
#include "chat/answer_check.h"
#include "text/printed_calls.h"

namespace tophand::dispatch {
namespace {

// No local model writes as much; what does passes unchecked rather than fill the memory.
constexpr std::size_t kHeldBytesMax = 8u << 20;
constexpr std::size_t kRejectedBytesMax = 64u << 10;

std::vector<text::Tool> offered_tools(const chat::Request& request) {
  std::vector<text::Tool> out;
  if (!chat::may_call_tools(request)) return out;
  for (const chat::Tool& tool : request.tools) {
    const std::string schema = tool.input_schema_json.empty() ? "{}" : tool.input_schema_json;
    out.push_back({R"({"type":"function","function":{"name":)" + dump_json(tool.name) +
                   R"(,"parameters":)" + schema + "}}"});
  }
  return out;
}

// Gathers one answer, lets through what needs no check, and gives out the rest when told to.
class Gate final : public backend::Sink {
 public:
  Gate(backend::Sink& client, const chat::Request& request)
      : client_(client),
        request_(request),
        // With a call or JSON demanded, text alone is a fault: all of it waits.
        holds_text_(chat::wants_json(request) ||
                    request.tool_choice.kind == chat::ToolChoice::Kind::kAny ||
                    request.tool_choice.kind == chat::ToolChoice::Kind::kNamed),
        printed_(offered_tools(request)) {}

  Result<> event(const chat::StreamEvent& event) override;
  void together(bool on) override { client_.together(on); }
  Result<> head(int status, const net::Headers& kept, std::string_view type) override {
    return client_.head(status, kept, type);
  }
  Result<> raw(std::string_view bytes, const std::vector<chat::StreamEvent>& meaning) override {
    return client_.raw(bytes, meaning);
  }

  const chat::LocalAnswer& answer() const { return answer_; }
  // Sends what was held, to the end of the answer.
  Result<> deliver();
  bool mended_json() const { return mended_json_; }  // by deliver()
  // Forgets the answer and reads the next one.
  void again();

 private:
  Result<> on_text(const std::string& text);
  Result<> take(std::vector<text::PrintedPart> parts);
  Result<> hold(chat::StreamEvent event, std::size_t bytes);
  Result<> let_go();
  void put_json();
  Result<> on_call(const chat::StreamEvent& event);
  bool leaves_out(const chat::StreamEvent& event) const;

  backend::Sink& client_;
  const chat::Request& request_;
  const bool holds_text_;
  text::PrintedCalls printed_;
  chat::LocalAnswer answer_;
  std::optional<chat::Finished> finished_;
  std::vector<chat::StreamEvent> held_;
  std::size_t held_bytes_ = 0;
  bool streams_ = false;         // text goes straight to the client
  bool text_was_shown_ = false;  // by the first answer
  bool started_ = false, second_ = false;
  bool mended_json_ = false;
  bool in_call_ = false, drops_call_ = false;
};

Result<> Gate::hold(chat::StreamEvent event, std::size_t bytes) {
  const bool free = streams_ && answer_.calls.empty() && answer_.broken_call.empty() && !in_call_;
  if (free) return client_.event(event);
  held_.push_back(std::move(event));
  held_bytes_ += bytes + sizeof(chat::StreamEvent);
  return held_bytes_ > kHeldBytesMax ? let_go() : Result<>();
}

Result<> Gate::let_go() {
  streams_ = true;
  std::vector<chat::StreamEvent> events = std::exchange(held_, {});
  held_bytes_ = 0;
  for (const chat::StreamEvent& event : events)
    if (!leaves_out(event))
      if (auto put = client_.event(event); !put) return put;
  return {};
}

// Of an answer with calls: white space around them, and, once an earlier answer's text was shown,
// text that says the same again.
bool Gate::leaves_out(const chat::StreamEvent& event) const {
  const auto* text = std::get_if<chat::TextDelta>(&event);
  const bool says = text != nullptr || std::holds_alternative<chat::ThinkingDelta>(event);
  if (!says || answer_.calls.empty()) return false;
  return text_was_shown_ || (text != nullptr && is_blank(answer_.text));
}

// One event of a call. Where only one call is wanted the others are left out.
Result<> Gate::on_call(const chat::StreamEvent& event) {
  std::size_t bytes = 0;
  if (const auto* start = std::get_if<chat::ToolUseStart>(&event)) {
    in_call_ = true;
    drops_call_ = !request_.tool_choice.parallel && !answer_.calls.empty();
    if (!drops_call_) answer_.calls.push_back({start->id, start->name, ""});
  }
  if (const auto* delta = std::get_if<chat::ToolUseDelta>(&event)) {
    if (!in_call_ || drops_call_) return {};
    answer_.calls.back().input_json += delta->json;
    bytes = delta->json.size();
  }
  const bool dropped = drops_call_;
  if (std::holds_alternative<chat::BlockEnd>(event)) in_call_ = drops_call_ = false;
  return dropped ? Result<>() : hold(event, bytes);
}

Result<> Gate::take(std::vector<text::PrintedPart> parts) {
  using Kind = text::PrintedPart::Kind;
  for (text::PrintedPart& part : parts) {
    if (part.kind == Kind::kCall) {
      const std::array<chat::StreamEvent, 3> events{
          chat::ToolUseStart{random_id("toolu_"), part.call.name},
          chat::ToolUseDelta{part.call.arguments_json}, chat::BlockEnd{}};
      for (const chat::StreamEvent& each : events)
        if (auto done = on_call(each); !done) return done;
      continue;
    }
    // A broken call is shown only when the answer was cut off within it.
    const std::size_t bytes = part.text.size();
    (part.kind == Kind::kBroken ? answer_.broken_call : answer_.text) += part.text;
    if (auto done = hold(chat::TextDelta{std::move(part.text)}, bytes); !done) return done;
  }
  const bool opening_is_over = !holds_text_ && !second_ && answer_.calls.empty() &&
                               answer_.broken_call.empty() && answer_.text.size() > kOpeningBytes;
  return opening_is_over && !streams_ ? let_go() : Result<>();
}

Result<> Gate::on_text(const std::string& text) {
  std::vector<text::PrintedPart> parts;
  if (chat::may_call_tools(request_)) printed_.push(text, parts);
  else parts.push_back({.text = text});
  return take(std::move(parts));
}

Result<> Gate::event(const chat::StreamEvent& event) {
  if (std::holds_alternative<chat::Progress>(event)) return client_.event(event);
  if (std::holds_alternative<chat::Started>(event)) {
    if (std::exchange(started_, true)) return {};
    return client_.event(event);
  }
  // A refusal is no answer to be read for calls or JSON.
  if (const auto* text = std::get_if<chat::TextDelta>(&event))
    return text->refuses ? hold(event, text->text.size()) : on_text(text->text);
  if (const auto* thinking = std::get_if<chat::ThinkingDelta>(&event))
    return hold(event, thinking->text.size());
  const auto* finished = std::get_if<chat::Finished>(&event);
  if (finished != nullptr || std::holds_alternative<chat::ToolUseStart>(event)) {
    std::vector<text::PrintedPart> parts;
    printed_.finish(parts);
    if (auto done = take(std::move(parts)); !done) return done;
  }
  if (finished == nullptr) return on_call(event);
  finished_ = *finished;
  answer_.cut_off =
      chat::is_cut_off(finished->reason) || finished->reason == chat::StopReason::kStopSequence;
  answer_.refused = finished->reason == chat::StopReason::kRefusal;
  return {};
}

Result<> Gate::deliver() {
  const bool has_json = !answer_.refused && answer_.calls.empty() && !streams_;
  if (chat::wants_json(request_) && has_json) put_json();
  if (auto gone = let_go(); !gone) return gone;
  return finished_ ? client_.event(*finished_) : Result<>();
}

// The JSON in the place of all that was written; of an answer that was cut off, when it is whole:
// an object or a list, since a number may lack its last digits.
void Gate::put_json() {
  chat::JsonAnswer json = chat::read_json_answer(request_, answer_.text);
  const bool is_closed = json.text.ends_with('}') || json.text.ends_with(']');
  if (answer_.cut_off && (json.fault || !is_closed)) return;
  std::erase_if(held_, [](const chat::StreamEvent& event) {
    return std::holds_alternative<chat::TextDelta>(event);
  });
  mended_json_ = json.mended;
  held_.emplace_back(chat::TextDelta{std::move(json.text)});
  // The limit met what came after the JSON.
  if (finished_ && answer_.cut_off && finished_->reason != chat::StopReason::kStopSequence)
    finished_->reason = chat::StopReason::kEndTurn;
}

void Gate::again() {
  text_was_shown_ = streams_;
  answer_ = {};
  finished_.reset();
  held_.clear();
  held_bytes_ = 0;
  streams_ = in_call_ = drops_call_ = false;
  second_ = true;
  printed_ = text::PrintedCalls(offered_tools(request_));
}

// Leaves out calls, where the client wants none: servers are told so, and not all of them obey.
class NoCalls final : public backend::Sink {
 public:
  explicit NoCalls(backend::Sink& client) : client_(client) {}

  Result<> event(const chat::StreamEvent& event) override {
    if (std::holds_alternative<chat::Progress>(event)) return client_.event(event);
    const bool goes_on = std::holds_alternative<chat::ToolUseDelta>(event) ||
                         std::holds_alternative<chat::BlockEnd>(event);
    in_call_ = std::holds_alternative<chat::ToolUseStart>(event) || (in_call_ && goes_on);
    return in_call_ ? Result<>() : client_.event(event);
  }
  void together(bool on) override { client_.together(on); }
  Result<> head(int status, const net::Headers& kept, std::string_view type) override {
    return client_.head(status, kept, type);
  }
  Result<> raw(std::string_view bytes, const std::vector<chat::StreamEvent>& meaning) override {
    return client_.raw(bytes, meaning);
  }

 private:
  backend::Sink& client_;
  bool in_call_ = false;
};

void add(backend::Report& report, const backend::Report& first) {
  report.usage.add_tokens(first.usage);
  report.usage_known = report.usage_known || first.usage_known;
  report.output_bytes += first.output_bytes;
  report.timing.load_ns += first.timing.load_ns;
  report.timing.prefill_ns += first.timing.prefill_ns;
  report.timing.decode_ns += first.timing.decode_ns;
  report.timing.total_ns += first.timing.total_ns;
}

void give_up(backend::Report& report, const std::string& why) {
  report.end = backend::End::kFailed;
  report.unable = true;
  report.failure =
      chat::Failed{{Code::kUpstream, "the local model could not do it in two tries: " + why}, ""};
  report.kept.set("x-should-retry", "false");  // it would fail the same way
}

// By the request as it came: in one that asks again a call may be made again (chat/answer_check.h).
bool repeats_call(const chat::Request& request, const chat::LocalAnswer& answer) {
  const auto fault = chat::find_fault(request, answer);
  return fault && fault->kind == chat::Fault::Kind::kRepeatedCall;
}

// As the model wrote it, more or less.
std::string rejected_text(const chat::LocalAnswer& answer) {
  std::string out = answer.text;
  for (const auto& call : answer.calls) out += "\n" + call.name + " " + call.input_json;
  if (!answer.broken_call.empty()) out += "\n" + answer.broken_call;
  out.resize(std::min(out.size(), kRejectedBytesMax));
  return out;
}

backend::Report answer_with_gate(backend::Backend& backend, const backend::Call& call,
                                 backend::Sink& sink, const net::Cancellation& client) {
  const chat::Request& request = *call.request;
  const bool checks = chat::may_call_tools(request) || chat::wants_json(request);
  if (!checks || request.raw_prompt)  // a raw prompt has no turns to ask again with
    return backend.answer(call, sink, client);
  Gate gate(sink, request);
  backend::Report first = backend.answer(call, gate, client);
  if (first.end != backend::End::kFinished) return first;
  auto fault = chat::find_fault(request, gate.answer());
  if (!fault) {
    first.gate = "passed";
    if (auto put = gate.deliver(); !put) backend::end_with(first, put.error());
    if (gate.mended_json()) first.note = "JSON mended";
    return first;
  }
  const std::string finding = std::string(chat::fault_name(fault->kind));
  const bool repeats = fault->kind == chat::Fault::Kind::kRepeatedCall;
  const chat::Request again = chat::ask_again(request, gate.answer(), *fault);
  backend::Call second_call = call;
  second_call.request = &again;
  gate.again();
  backend::Report report = backend.answer(second_call, gate, client);
  add(report, first);
  report.note = "asked twice: " + finding;
  if (report.end == backend::End::kCancelled) return report;
  if (report.end != backend::End::kFinished) {
    give_up(report, fault->finding);
    return report;
  }
  fault = chat::find_fault(again, gate.answer());
  if (fault) {
    report.note += ", then " + std::string(chat::fault_name(fault->kind));
    report.gate = "failed";
    report.rejected = rejected_text(gate.answer());
    give_up(report, fault->finding);
  } else {
    const bool insists = repeats && repeats_call(request, gate.answer());
    report.gate = insists ? "passed" : "mended";
    if (insists) report.note += ", and made again";
    if (auto put = gate.deliver(); !put) backend::end_with(report, put.error());
    if (gate.mended_json()) report.note += ", JSON mended";
  }
  return report;
}

}  // namespace

backend::Report answer_checked(backend::Backend& backend, const backend::Call& call,
                               backend::Sink& sink, const net::Cancellation& client) {
  const chat::Request& request = *call.request;
  if (!request.tools.empty() && !chat::may_call_tools(request)) {
    NoCalls text_alone(sink);
    return answer_with_gate(backend, call, text_alone, client);
  }
  return answer_with_gate(backend, call, sink, client);
}

}  // namespace tophand::dispatch
