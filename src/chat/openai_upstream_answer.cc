// Answers of OpenAI-compatible servers, whole and streamed.
#include <algorithm>
#include <optional>
#include <utility>

#include "base/ascii.h"
#include "base/json.h"
#include "chat/openai_upstream.h"
#include "chat/server_error.h"
#include "chat/upstream_parts.h"

namespace tophand::chat {
namespace {

constexpr std::size_t kCallsMax = 256;            // far above what a turn holds
constexpr std::size_t kHeldBytesMax = 16u << 20;  // arguments and late text of one answer
constexpr double kNsPerMs = 1e6;

Failed broken(std::string what) {
  return Failed{{Code::kUpstream, std::move(what)}, ""};
}

std::int64_t ns_of_ms(JsonView object, std::string_view key) {
  const double ms = number_or(object, key, 0);
  return ms > 0 && ms < 1e12 ? static_cast<std::int64_t>(ms * kNsPerMs) : 0;
}

// OpenAI's names and those that others have beside them; nothing for an answer that was given up:
// "error" and "model_length" are Mistral's, "insufficient_system_resource" DeepSeek's,
// "model_context_window_exceeded", "sensitive" and "network_error" Z.ai's. Gemini's are in capitals
// or stand behind a word of its own ("content_filter: PROHIBITED_CONTENT"). What is not known has
// ended by itself.
std::optional<StopReason> stop_reason(std::string_view said) {
  struct Name {
    std::string_view name;
    std::optional<StopReason> reason;
  };
  static constexpr Name kNames[] = {
      {"length", StopReason::kMaxTokens},
      {"max_tokens", StopReason::kMaxTokens},
      {"tool_calls", StopReason::kToolUse},
      {"function_call", StopReason::kToolUse},
      {"content_filter", StopReason::kRefusal},
      {"sensitive", StopReason::kRefusal},
      {"refusal", StopReason::kRefusal},
      {"safety", StopReason::kRefusal},
      {"recitation", StopReason::kRefusal},
      {"blocklist", StopReason::kRefusal},
      {"prohibited_content", StopReason::kRefusal},
      {"spii", StopReason::kRefusal},
      {"model_length", StopReason::kContextFull},
      {"model_context_window_exceeded", StopReason::kContextFull},
      {"error", std::nullopt},
      {"abort", std::nullopt},
      {"network_error", std::nullopt},
      {"insufficient_system_resource", std::nullopt},
      {"function_call_filter", std::nullopt},
      {"malformed_function_call", std::nullopt},
  };
  const std::string name = lowered(said.substr(0, said.find(':')));
  for (const Name& known : kNames)
    if (known.name == name) return known.reason;
  return StopReason::kEndTurn;
}

// A fragment of the arguments. Of a call without arguments servers in Go write "null", others
// blanks: that begins no object.
std::string arguments_of(JsonView function, bool at_start) {
  std::string text = stated_arguments(function);
  if (at_start && (is_blank(text) || text == "null")) text.clear();
  return text;
}

bool begins_object(std::string_view fragment) {
  return trimmed(fragment, " \t\r\n").starts_with('{');
}

// Arguments that were encoded twice: a JSON string with the object in it.
bool begins_string(std::string_view arguments) {
  return trimmed(arguments, " \t\r\n").starts_with('"');
}

// The object in such a string; anything else stays as it is.
std::string without_quotes(const std::string& arguments) {
  const auto text = parse_json(arguments);
  if (!text || !text->is_string()) return arguments;
  const auto& inner = text->get_ref<const std::string&>();
  return is_json_object(inner) ? inner : arguments;
}

// Mistral writes {"type":"thinking","thinking":[{"type":"text",...}]} and {"type":"text",...}.
std::string text_of_parts(JsonView parts, std::string_view key) {
  std::string text;
  for (const JsonView part : parts) {
    const JsonView inner = part[key];
    if (inner.is_array()) text += text_of_parts(inner, "text");
    else text += inner.string();
  }
  return text;
}

// Of two arguments, in whatever spelling.
bool is_same_object(std::string_view one, std::string_view other) {
  if (!one.starts_with('{') || !other.starts_with('{')) return false;  // as nearly always
  const auto left = parse_json(one);
  if (!left) return false;
  const auto right = parse_json(other);
  return right && *left == *right;
}

// OpenRouter and MiniMax: [{"type":"reasoning.text","text":...}] or "reasoning.summary".
std::string text_of_details(JsonView details) {
  std::string text;
  for (const JsonView detail : details) {
    text += string_or(detail, "text", "");
    text += string_or(detail, "summary", "");
  }
  return text;
}

bool is_whole_answer(JsonView root, JsonView choices) {
  if (string_or(root, "object", "") != "chat.completion" || choices.size() == 0) return false;
  const JsonView first = *choices.begin();  // there is one: an empty list has none to look at
  return first["message"].is_object() && !first["delta"].is_object();
}

// {"error":...}, vLLM's {"object":"error",...}; without choices also {"message":...} and FastAPI's
// {"detail":...}, which come as an event named error.
bool is_error(JsonView chunk, bool has_choices) {
  if (tells_error(chunk) || string_or(chunk, "object", "") == "error") return true;
  return !has_choices && (chunk["message"].is_string() || !chunk["detail"].is_null());
}

}  // namespace

void OpenAiStreamReader::on_data(std::string_view data, std::vector<StreamEvent>& out) {
  data = trimmed(data, " \t\r\n");
  if (finished_ || data.empty()) return;  // some servers keep a connection alive with empty data
  if (data == "[DONE]") {
    if (started_) finish(out);
    else fail(broken("the answer ended before it began"), out);
    return;
  }
  const auto parsed = parse_answer_json(pairs_.joined(data));
  if (!parsed) return fail(broken("the answer cannot be read: " + parsed.error().message), out);
  const JsonView root = parsed->root();
  // Gemini puts its errors in a list.
  if (root.is_array() && tells_error(root.items().next()))
    return fail(read_server_error(0, data), out);
  if (!root.is_object())
    return fail(broken("the answer cannot be read: expected a JSON object"), out);
  const JsonView choices = root["choices"];
  if (is_error(root, choices.is_array())) return fail(read_server_error(0, data), out);
  if (const JsonView groq = root["x_groq"]; tells_error(groq))  // why it stopped early
    return fail(read_server_error(0, dump_json(groq.tree())), out);
  read_usage(root);
  if (!choices.is_array()) return;
  if (!std::exchange(started_, true))
    out.emplace_back(Started{usage_, string_member(root, "model")});
  for (const JsonView choice : choices)
    if (!finished_ && int_or(choice, "index", 0) == 0) read_choice(choice, out);
  // Some give a whole answer no reason. It is whole all the same, as their streams with [DONE] are.
  said_reason_ =
      said_reason_ || (is_whole_answer(root, choices) && (told_text_ || !calls_.empty()));
}

void OpenAiStreamReader::on_end(std::vector<StreamEvent>& out) {
  if (finished_) return;
  if (said_reason_) return finish(out);
  fail(broken("the answer ended before it was finished"), out);
}

// OpenAI's place and names, and those of others: Groq's "x_groq", DeepSeek's
// "prompt_cache_hit_tokens" and Moonshot's "cached_tokens", the Responses API's "input_tokens".
void OpenAiStreamReader::read_usage(JsonView chunk) {
  const JsonView stated = chunk["usage"];
  const JsonView usage = stated.is_object() ? stated : chunk["x_groq"]["usage"];
  if (usage.is_object()) {
    const std::int64_t prompt = stated_tokens(
        usage, "prompt_tokens", stated_tokens(usage, "input_tokens", usage_.total_input()));
    const std::int64_t hits =
        stated_tokens(usage, "prompt_cache_hit_tokens", stated_tokens(usage, "cached_tokens", 0));
    const std::int64_t cached =
        stated_tokens(usage["prompt_tokens_details"], "cached_tokens", hits);
    usage_.cache_read_tokens = std::min(cached, prompt);
    usage_.input_tokens = prompt - usage_.cache_read_tokens;
    usage_.output_tokens = stated_tokens(
        usage, "completion_tokens", stated_tokens(usage, "output_tokens", usage_.output_tokens));
    const std::int64_t thoughts =
        stated_tokens(usage["completion_tokens_details"], "reasoning_tokens", 0);
    // xAI and Gemini count thoughts beside completion_tokens: only the total has them.
    const std::int64_t total = stated_tokens(usage, "total_tokens", 0);
    if (usage["prompt_tokens"].is_number() && usage["completion_tokens"].is_number())
      usage_.output_tokens = std::max(usage_.output_tokens, total - prompt);
    usage_.thinking_tokens = std::min(thoughts, usage_.output_tokens);
  }
  if (const JsonView timings = chunk["timings"]; timings.is_object()) {  // llama-server's
    timing_.prefill_ns = ns_of_ms(timings, "prompt_ms");
    timing_.decode_ns = ns_of_ms(timings, "predicted_ms");
    timing_.total_ns = timing_.prefill_ns + timing_.decode_ns;
  }
}

void OpenAiStreamReader::read_choice(JsonView choice, std::vector<StreamEvent>& out) {
  const JsonView streamed = choice["delta"];
  const JsonView delta = streamed.is_object() ? streamed : choice["message"];
  read_usage(choice);  // Moonshot's place for it
  if (tells_error(choice)) return fail(read_server_error(0, dump_json(choice.tree())), out);
  // The last chunk of some streams is a whole answer: all that was said in pieces, once more.
  const bool is_said = !streamed.is_object() && (told_text_ || !calls_.empty());
  if (delta.is_object() && !is_said) {
    read_text(delta, out);
    const std::vector<JsonView> calls = list_of_calls(delta["tool_calls"]);
    read_calls(calls, out);
    // What came before tool_calls: one call, whose name and arguments lie here.
    const JsonView old_call = delta["function_call"];
    if (old_call.is_object() && calls.empty()) {
      Piece piece{JsonView()};
      piece.function = old_call;
      piece.index = 0;
      read_call(piece, calls_.size(), out);
    }
  } else if (std::string text = string_member(choice, "text"); !text.empty()) {  // /completions
    out.emplace_back(TextDelta{std::move(text)});
  }
  const std::string reason = string_member(choice, "finish_reason");
  if (finished_ || reason.empty()) return;
  const auto known = stop_reason(reason);
  if (!known) return fail(broken("the server gave the answer up (" + reason + ")"), out);
  if (said_reason_ && *known == StopReason::kEndTurn) return;  // a plain end behind the reason
  said_reason_ = true;
  reason_ = *known;
  // vLLM and SGLang name the stop sequence that was met, or the token, as a number.
  for (const std::string_view key : {"stop_reason", "matched_stop"})
    if (const JsonView stop = choice[key]; stop.is_string() && reason == "stop") {
      reason_ = StopReason::kStopSequence;
      stop_sequence_ = std::string(stop.string());
    }
}

void OpenAiStreamReader::read_text(JsonView delta, std::vector<StreamEvent>& out) {
  std::string thinking = string_member(delta, "reasoning_content");
  has_reasoning_content_ = has_reasoning_content_ || !thinking.empty();
  if (thinking.empty()) thinking = string_member(delta, "reasoning");
  drew_ = drew_ || delta["images"].size() > 0;  // OpenRouter's and Gemini's
  const JsonView content = delta["content"];
  if (content.is_array()) thinking += text_of_parts(content, "thinking");
  if (thinking.empty()) thinking = text_of_details(delta["reasoning_details"]);
  told_text_ = told_text_ || !thinking.empty();
  if (!thinking.empty() && calls_.empty()) out.emplace_back(ThinkingDelta{std::move(thinking), {}});
  for (const std::string_view key : {"content", "refusal"}) {
    const JsonView given = delta[key];
    std::string text =
        given.is_array() ? text_of_parts(given, "text") : std::string(given.string());
    if (text.empty()) continue;
    told_text_ = true;
    refused_ = refused_ || key == "refusal";
    if (calls_.empty()) {
      out.emplace_back(TextDelta{std::move(text), key == "refusal"});
      continue;
    }
    // Templates put white space between calls; anything else waits until the calls are whole.
    if (hold(text.size(), out)) late_text_ += text;
  }
}

// Counts what is kept until the end. False, and the answer has failed, when it is too much.
bool OpenAiStreamReader::hold(std::size_t bytes, std::vector<StreamEvent>& out) {
  held_bytes_ += bytes;
  if (held_bytes_ <= kHeldBytesMax) return true;
  if (!finished_) fail(broken("the answer's tool calls are too long"), out);
  return false;
}

OpenAiStreamReader::Piece::Piece(JsonView call)
    : id(string_member(call, "id")), function(call["function"]), beside(call["extra_content"]) {
  if (const JsonView given = call["index"]; given.is_integer()) index = given.integer(0);
}

// The call that a fragment belongs to, made when there is none yet.
std::size_t OpenAiStreamReader::find_call(const Piece& piece) {
  const std::string& id = piece.id;
  const JsonView function = piece.function;
  const std::string name = string_member(function, "name");
  const bool has_index = piece.index.has_value();
  const std::int64_t wanted = piece.index.value_or(static_cast<std::int64_t>(calls_.size()));
  const auto has_id = [&](const Call& call) { return call.id == id; };
  const auto same_index = [&](const Call& call) { return call.index == wanted; };
  // A fragment with nothing but arguments whose number is new: ollama.com counts on between them,
  // SGLang numbers the name by the tool's place in the request and the arguments by the call's.
  if (has_index && name.empty() && !calls_.empty() && std::ranges::none_of(calls_, same_index)) {
    const auto known = std::ranges::find_if(calls_, has_id);
    if (!id.empty() && known != calls_.end())
      return static_cast<std::size_t>(known - calls_.begin());
    if (id.empty() && !is_json_object(calls_.back().arguments)) return calls_.size() - 1;
  }
  // Some servers give the fragments ids of their own (poolsideai/pool#9): without a name the index
  // says whose they are.
  const bool ids_count = !has_index || !name.empty() || std::ranges::any_of(calls_, has_id);
  for (std::size_t i = calls_.size(); i-- > 0;) {
    const Call& call = calls_[i];
    const bool other_id = ids_count && !id.empty() && !call.id.empty() && id != call.id;
    const bool other_name = id.empty() && !name.empty() && !call.name.empty() && name != call.name;
    // A name may come in pieces, before the arguments.
    const bool goes_on = has_index && call.index == wanted && call.arguments.empty();
    const bool other = other_id || (other_name && !goes_on);
    // A call that is whole and named anew is the next one, under whatever id.
    const bool over = !has_index && !name.empty() && is_json_object(call.arguments);
    if (other || over) continue;
    const bool fits = has_index ? call.index == wanted : (!id.empty() || name.empty());
    if (fits && has_next_object(call, function))
      return add_call(wanted, name.empty() ? call.name : name);  // under whatever number and id
    if (fits) return i;
  }
  return add_call(wanted, "");
}

std::size_t OpenAiStreamReader::add_call(std::int64_t index, std::string name) {
  calls_.push_back({.index = index, .id = {}, .name = std::move(name), .arguments = {}});
  return calls_.size() - 1;
}

// Gemini numbers every call of an answer 0: an object behind a whole one is the next call's, unless
// it is said once more or takes the place of "{}".
bool OpenAiStreamReader::has_next_object(const Call& call, JsonView function) {
  const std::string fragment = arguments_of(function, false);
  if (!begins_object(fragment) || !is_json_object(call.arguments)) return false;
  const std::string name = string_member(function, "name");
  if (!name.empty() && !call.name.empty() && name != call.name) return true;
  return !call.is_placeholder() && !is_same_object(fragment, call.arguments);
}

// Servers that number nothing say a call once more at its end or at that of the answer, whole or
// without arguments. `call` looks like that: it has the id and the name of one of the first
// `before`; or, without an id, the name of one that came in pieces, as no server sends some calls
// in pieces and others whole. A call and its repetition are never in one list, so `before` are
// those of earlier lists.
bool OpenAiStreamReader::may_repeat(const Call& call, std::size_t before) const {
  return std::any_of(
      calls_.begin(), calls_.begin() + static_cast<std::ptrdiff_t>(before), [&](const Call& other) {
        return call.name == other.name && (call.id.empty() ? other.in_pieces : call.id == other.id);
      });
}

// Of a call that is over.
bool OpenAiStreamReader::is_repeat(std::size_t at) const {
  const Call& call = calls_[at];
  if (!call.may_repeat) return false;
  return call.arguments.empty() ||
         std::any_of(calls_.begin(), calls_.begin() + static_cast<std::ptrdiff_t>(at),
                     [&](const Call& other) {
                       return call.name == other.name &&
                              is_same_object(call.arguments, other.arguments);
                     });
}

void OpenAiStreamReader::read_calls(const std::vector<JsonView>& calls,
                                    std::vector<StreamEvent>& out) {
  const std::size_t before = calls_.size();
  for (const JsonView call : calls)
    if (!finished_) read_call(Piece(call), before, out);
}

void OpenAiStreamReader::read_call(const Piece& piece, std::size_t before,
                                   std::vector<StreamEvent>& out) {
  // An entry that says nothing, as some servers put into answers without calls.
  const bool says_nothing = piece.id.empty() && string_or(piece.function, "name", "").empty() &&
                            arguments_of(piece.function, true).empty();
  if (says_nothing) return;
  const std::size_t known = calls_.size();
  const std::size_t at = find_call(piece);
  if (calls_.size() > kCallsMax) return fail(broken("the answer has too many tool calls"), out);
  const JsonView function = piece.function;
  Call& call = calls_[at];
  if (call.id.empty()) call.id = piece.id;
  if (piece.beside.is_object()) call.beside = dump_json(piece.beside.tree());
  take_name(string_member(function, "name"), call);
  const std::string fragment = arguments_of(function, call.arguments.empty());
  if (at < known && is_same_object(fragment, call.arguments)) return;  // said once more
  if (!hold(fragment.size(), out)) return;
  if (call.is_placeholder() && begins_object(fragment)) call.arguments.clear();
  call.arguments += fragment;
  if (at < known) call.in_pieces = true;
  else call.may_repeat = !piece.index.has_value() && may_repeat(call, before);
  // A new call: the one before it is over if its arguments are whole. If they are not, the server
  // sends several at a time, and the later ones wait.
  const bool is_next = calls_.size() > known && at == open_call_ + 1;
  if (is_next && (is_json_object(calls_[open_call_].arguments) || is_repeat(open_call_)))
    end_call(out);
  if (at != open_call_ || calls_[at].may_repeat) return;
  if (call_started_) tell_arguments(out);
  else if (!calls_[at].arguments.empty()) start_call(out);  // until then its name may go on
}

// A name comes whole and then often in every fragment, or in pieces.
void OpenAiStreamReader::take_name(const std::string& piece, Call& call) {
  if (call.name.empty() || piece.starts_with(call.name)) call.name = piece;
  else if (call.arguments.empty()) call.name += piece;
}

// What has not been told of the open call's arguments. Servers that stand before Bedrock say "{}"
// first and the arguments behind it, so that waits for what follows.
void OpenAiStreamReader::tell_arguments(std::vector<StreamEvent>& out) {
  Call& call = calls_[open_call_];
  if (call.is_placeholder() || call.told == call.arguments.size()) return;
  if (begins_string(call.arguments)) return;  // not readable before its end
  out.emplace_back(ToolUseDelta{call.arguments.substr(call.told)});
  call.told = call.arguments.size();
}

// Gives out what is known of the open call, once it has a name.
void OpenAiStreamReader::start_call(std::vector<StreamEvent>& out) {
  Call& call = calls_[open_call_];
  if (call.name.empty()) return;
  // SGLang and others count the calls of each answer from 0: the next answer's could not be told
  // apart from them.
  const bool is_count = call.id.find_first_not_of("0123456789") == std::string::npos;
  // LocalAI gives every call of an answer the same id; their results could not be told apart.
  const auto is_same = [&](const Call& before) { return before.id == call.id; };
  const auto end = calls_.begin() + static_cast<std::ptrdiff_t>(open_call_);
  const bool is_taken = std::any_of(calls_.begin(), end, is_same);
  const std::string number = std::to_string(open_call_);
  std::string id = call.id;
  if (is_count) id = id_prefix_ + number;
  else if (is_taken) id += "-" + number;
  if (!call.beside.empty()) beside_calls_[id] = call.beside;
  call_started_ = true;
  out.emplace_back(ToolUseStart{std::move(id), call.name});
  tell_arguments(out);
}

// The open call is over, and it is the next one's turn.
void OpenAiStreamReader::end_call(std::vector<StreamEvent>& out) {
  if (!is_repeat(open_call_)) {
    if (!call_started_) start_call(out);
    Call& call = calls_[open_call_];
    if (begins_string(call.arguments)) call.arguments = without_quotes(call.arguments);
    if (call.is_placeholder()) call.arguments = "{}";
    if (call.told == 0 && !call.arguments.empty()) out.emplace_back(ToolUseDelta{call.arguments});
    out.emplace_back(BlockEnd{});
  }
  call_started_ = false;
  ++open_call_;
}

void OpenAiStreamReader::finish(std::vector<StreamEvent>& out) {
  for (const Call& call : calls_)
    if (call.name.empty()) return fail(broken("a tool call in the answer has no name"), out);
  if (drew_ && !told_text_ && calls_.empty())
    return fail(broken("the answer is an image, which cannot be passed on"), out);
  while (open_call_ < calls_.size()) end_call(out);
  if (!is_blank(late_text_)) out.emplace_back(TextDelta{std::move(late_text_)});
  if (!started_) out.emplace_back(Started{usage_, ""});
  // OpenAI says "stop" then: where its text stands is what tells a refusal.
  if (refused_ && reason_ == StopReason::kEndTurn) reason_ = StopReason::kRefusal;
  finished_ = true;
  out.emplace_back(Finished{reason_, std::move(stop_sequence_), usage_, timing_});
}

void OpenAiStreamReader::fail(Failed failure, std::vector<StreamEvent>& out) {
  finished_ = true;
  out.emplace_back(std::move(failure));
}

}  // namespace tophand::chat
