// The stream invariants, on random event sequences, with checkers that know only the protocols:
// they split the bytes themselves and share nothing with the writers. The seed is printed on
// failure.
#include <gtest/gtest.h>

#include <map>

#include "base/json.h"
#include "base/random.h"
#include "chat/dialect.h"

namespace tophand::chat {
namespace {

constexpr int kSequences = 3000;

// Deliberately careless: no Started, two of them, deltas without a block, BlockEnds in a row,
// events behind the end.
std::vector<StreamEvent> random_events(std::uint64_t seed) {
  SplitMix64 random(seed);
  const auto below = [&](std::uint64_t n) { return random.next() % n; };
  const char* texts[] = {"", "a", "\"\\\n", "é€😀", "data: x\n\n", "{\"done\":true}"};
  const char* fragments[] = {"", "{", "}", "{\"a\":1}", "\"k\":", "\"\\u00", "[1,2]"};
  std::vector<StreamEvent> out;
  int tool = 0;
  if (below(8) != 0) out.emplace_back(Started{{.input_tokens = 10}, "m"});
  for (std::uint64_t i = below(14); i > 0; --i) {
    switch (below(9)) {
      case 0:
      case 1:
        out.emplace_back(TextDelta{texts[below(6)]});
        break;
      case 2:
        out.emplace_back(ThinkingDelta{texts[below(6)], below(3) == 0 ? "sig" : ""});
        break;
      case 3:
        out.emplace_back(ToolUseDelta{fragments[below(7)]});
        break;
      case 4:
        out.emplace_back(BlockEnd{});
        break;
      case 5:
        out.emplace_back(Progress{1, 2});
        break;
      case 6:
        out.emplace_back(Started{{.input_tokens = 99}, "again"});
        break;
      default:
        out.emplace_back(ToolUseStart{"call_" + std::to_string(++tool), "f"});
        if (below(2) == 0) out.emplace_back(ToolUseDelta{"{\"a\":"});
        if (below(2) == 0) out.emplace_back(ToolUseDelta{"1}"});
    }
  }
  if (below(6) == 0) out.emplace_back(Failed{{Code::kUpstream, "bro\nken"}, ""});
  const auto reason = static_cast<StopReason>(below(7));
  out.emplace_back(Finished{reason, "", {.input_tokens = 10, .output_tokens = 5}, {}});
  if (below(2) == 0) out.emplace_back(TextDelta{"after the end"});
  return out;
}

// What any client must be able to put together again.
struct Received {
  std::string text;
  std::vector<std::string> tool_arguments;  // one a call, in order
  std::string stop;
  bool failed = false;
};

std::vector<std::string> split(const std::string& text, const std::string& separator) {
  std::vector<std::string> out;
  std::size_t from = 0;
  for (std::size_t at; (at = text.find(separator, from)) != std::string::npos;
       from = at + separator.size())
    out.push_back(text.substr(from, at - from));
  EXPECT_EQ(from, text.size()) << "the stream must end with a whole frame";
  return out;
}

Json json_of(const std::string& text) {
  auto parsed = parse_json(text);
  EXPECT_TRUE(parsed.has_value()) << text;
  return parsed ? *parsed : Json::object();
}

bool ends_early(const std::string& reason) {
  return reason == "max_tokens" || reason == "model_context_window_exceeded" || reason == "refusal";
}

// message_start once and first; blocks strictly one after another, indices 0, 1, 2...; no empty
// text block; input {} at the start; message_delta then message_stop, or error, last.
struct AnthropicChecker {
  Received received;
  int open = -1, next = 0;
  bool started = false, delta_seen = false, ended = false, has_cut_call = false;
  std::string kind;
  int pieces = 0;

  void frame(const std::string& text) {
    const std::size_t line = text.find('\n');
    ASSERT_EQ(text.rfind("event: ", 0), 0u) << text;
    const std::string event = text.substr(7, line - 7);
    ASSERT_EQ(text.compare(line + 1, 6, "data: "), 0) << text;
    ASSERT_EQ(text.find('\n', line + 1), std::string::npos) << "data must be one line";
    const Json data = json_of(text.substr(line + 7));
    ASSERT_EQ(data.at("type"), event);
    ASSERT_FALSE(ended) << "nothing follows the end";
    if (event == "error") return error(data);
    ASSERT_TRUE(started || event == "message_start") << event;
    if (event == "message_start") start(data);
    else if (event == "content_block_start") block_start(data);
    else if (event == "content_block_delta") block_delta(data);
    else if (event == "content_block_stop") block_stop(data);
    else if (event == "message_delta") message_delta(data);
    else if (event == "message_stop") message_stop();
    else ASSERT_EQ(event, "ping");
  }
  void error(const Json& data) {
    ended = received.failed = true;
    EXPECT_TRUE(data.at("error").at("type").is_string());
    EXPECT_TRUE(data.at("error").at("message").is_string());
  }
  void start(const Json& data) {
    ASSERT_FALSE(started) << "message_start twice";
    started = true;
    EXPECT_TRUE(data.at("message").at("usage").at("output_tokens").is_number());
    EXPECT_TRUE(data.at("message").at("content").empty());
  }
  void block_start(const Json& data) {
    ASSERT_EQ(open, -1) << "a block starts inside another";
    ASSERT_EQ(data.at("index"), next);
    ASSERT_FALSE(delta_seen);
    open = next++;
    pieces = 0;
    const Json& block = data.at("content_block");
    kind = block.at("type");
    ASSERT_TRUE(kind != "text" || block.at("text") == "");
    if (kind != "tool_use") return;
    ASSERT_EQ(block.at("input"), Json::object());
    received.tool_arguments.emplace_back();
  }
  void block_delta(const Json& data) {
    ASSERT_NE(open, -1);
    ASSERT_EQ(data.at("index"), open);
    ++pieces;
    const Json& delta = data.at("delta");
    const std::string type = delta.at("type");
    if (type == "text_delta") {
      ASSERT_EQ(kind, "text");
      received.text += delta.at("text").get<std::string>();
    } else if (type == "input_json_delta") {
      ASSERT_EQ(kind, "tool_use");
      received.tool_arguments.back() += delta.at("partial_json").get<std::string>();
    } else {
      ASSERT_EQ(kind, "thinking");
      ASSERT_TRUE(type == "thinking_delta" || type == "signature_delta");
    }
  }
  void block_stop(const Json& data) {
    ASSERT_EQ(data.at("index"), open);
    // Only a call may have come to nothing, when the answer's limit came before its arguments.
    ASSERT_TRUE(pieces > 0 || kind == "tool_use") << "an empty block";
    has_cut_call = pieces == 0;
    open = -1;
  }
  void message_delta(const Json& data) {
    ASSERT_EQ(open, -1);
    ASSERT_FALSE(delta_seen);
    delta_seen = true;
    received.stop = data.at("delta").at("stop_reason");
    EXPECT_TRUE(!has_cut_call || ends_early(received.stop)) << received.stop;
    EXPECT_EQ(data.at("usage").at("output_tokens"), 5) << "running totals";
    EXPECT_EQ(data.at("usage").at("input_tokens"), 10);
  }
  void message_stop() {
    ASSERT_TRUE(delta_seen);
    ended = true;
  }
};

Received check_anthropic(const std::string& bytes) {
  AnthropicChecker checker;
  for (const std::string& frame : split(bytes, "\n\n")) checker.frame(frame);
  EXPECT_TRUE(checker.ended);
  return checker.received;
}

// role in the first delta; every call opened with id and name before its arguments; one
// finish_reason; then usage with no choices; then [DONE], or an error and no [DONE].
Received check_openai(const std::string& bytes) {
  Received out;
  bool role = false, finish = false, usage = false, done = false;
  for (const std::string& frame : split(bytes, "\n\n")) {
    if (frame.starts_with(":")) continue;
    EXPECT_EQ(frame.find('\n'), std::string::npos);
    EXPECT_FALSE(done || out.failed) << "nothing follows the end";
    if (frame == "data: [DONE]") {
      done = true;
      continue;
    }
    const Json chunk = json_of(frame.substr(6));
    if (chunk.contains("error")) {
      out.failed = true;
      continue;
    }
    EXPECT_TRUE(chunk.contains("usage"));
    if (chunk.at("choices").empty()) {
      EXPECT_TRUE(finish && !usage);
      usage = true;
      EXPECT_EQ(chunk.at("usage").at("total_tokens"), 15);
      continue;
    }
    EXPECT_FALSE(finish) << "content behind finish_reason";
    const Json& choice = chunk.at("choices").at(0);
    const Json& delta = choice.at("delta");
    EXPECT_EQ(delta.contains("role"), !role) << "role once, in the first delta";
    role = true;
    if (delta.contains("content")) out.text += delta.at("content").get<std::string>();
    if (delta.contains("tool_calls"))
      for (const Json& call : delta.at("tool_calls")) {
        if (call.contains("id")) {
          EXPECT_EQ(call.at("index"), out.tool_arguments.size());
          EXPECT_TRUE(call.at("function").contains("name"));
          out.tool_arguments.emplace_back();
        }
        EXPECT_EQ(call.at("index"), out.tool_arguments.size() - 1);
        out.tool_arguments.back() += call.at("function").at("arguments").get<std::string>();
      }
    if (!choice.at("finish_reason").is_null()) {
      finish = true;
      out.stop = choice.at("finish_reason");
    }
  }
  EXPECT_NE(done, out.failed);
  EXPECT_TRUE(out.failed || (finish && usage));
  return out;
}

// event equals type; sequence numbers 0, 1, 2...; created and in_progress first; items strictly one
// after another, each added and done once, its pieces adding up to what is said to be done; the
// last event carries the whole response: completed or incomplete, or error and failed.
struct ResponsesChecker {
  Received received;
  int sequence = 0, items = 0;
  bool open = false, ended = false;
  Json done = Json::array();  // items, as they were said to be done
  std::string item_id, pieces;

  void frame(const std::string& text) {
    const std::size_t line = text.find('\n');
    ASSERT_EQ(text.rfind("event: ", 0), 0u) << text;
    const Json data = json_of(text.substr(line + 7));
    const std::string type = data.at("type");
    ASSERT_EQ(text.substr(7, line - 7), type);
    ASSERT_FALSE(ended) << "nothing follows the end";
    ASSERT_EQ(data.at("sequence_number"), sequence);
    const char* first[] = {"response.created", "response.in_progress"};
    ASSERT_TRUE(sequence >= 2 || type == first[sequence]) << type;
    ++sequence;
    if (type == "response.output_item.added") added(data);
    else if (type == "response.output_item.done") item_done(data);
    else if (type.ends_with(".delta")) delta(type, data);
    else if (type.ends_with("_text.done")) ASSERT_EQ(data.at("text"), pieces);
    else if (type.ends_with("arguments.done")) ASSERT_EQ(data.at("arguments"), pieces);
    else if (type == "error") received.failed = true;
    else if (data.contains("response") && sequence > 2) end(type, data.at("response"));
  }
  void added(const Json& data) {
    if (open) received.tool_arguments.push_back(pieces);  // a broken call is never done
    ASSERT_EQ(data.at("output_index"), items++);
    item_id = data.at("item").at("id");
    open = true;
    pieces.clear();
  }
  void delta(const std::string& type, const Json& data) {
    ASSERT_TRUE(open);
    ASSERT_EQ(data.at("item_id"), item_id);
    ASSERT_EQ(data.at("output_index"), items - 1);
    pieces += data.at("delta").get<std::string>();
    if (type == "response.output_text.delta") received.text += data.at("delta").get<std::string>();
  }
  void item_done(const Json& data) {
    ASSERT_TRUE(open);
    const Json& item = data.at("item");
    ASSERT_EQ(item.at("id"), item_id);
    open = false;
    done.push_back(item);
    if (item.at("type") == "function_call") {
      EXPECT_TRUE(json_of(item.at("arguments")).is_object());
      received.tool_arguments.push_back(item.at("arguments"));
    }
  }
  void end(const std::string& type, const Json& response) {
    ended = true;
    received.stop = response.at("status");
    ASSERT_EQ("response." + received.stop, type);
    if (received.failed) return;
    if (open) received.tool_arguments.push_back(pieces);
    EXPECT_EQ(response.at("usage").at("total_tokens"), 15);
    EXPECT_EQ(response.at("output").size(), static_cast<std::size_t>(items));
    EXPECT_TRUE(received.stop != "completed" || response.at("output") == done);
  }
};

Received check_responses(const std::string& bytes) {
  ResponsesChecker checker;
  for (const std::string& frame : split(bytes, "\n\n"))
    if (!frame.starts_with(":")) checker.frame(frame);
  EXPECT_TRUE(checker.ended);
  return checker.received;
}

// One JSON object a line; calls whole, with object arguments; done:true with counts, or an error,
// last and once.
Received check_ollama(const std::string& bytes) {
  Received out;
  bool done = false;
  for (const std::string& line : split(bytes, "\n")) {
    EXPECT_FALSE(done || out.failed) << "nothing follows the end";
    const Json json = json_of(line);
    if (json.contains("error")) {
      out.failed = true;
      continue;
    }
    EXPECT_EQ(json.at("created_at"), "1970-01-01T00:00:01.002000000Z");
    const Json& message = json.at("message");
    out.text += message.at("content").get<std::string>();
    if (message.contains("tool_calls"))
      for (const Json& call : message.at("tool_calls")) {
        EXPECT_TRUE(call.at("function").at("arguments").is_object());
        out.tool_arguments.push_back(dump_json(call.at("function").at("arguments")));
      }
    done = json.at("done");
    if (!done) continue;
    EXPECT_EQ(json.at("prompt_eval_count"), 10);
    EXPECT_EQ(json.at("eval_count"), 5);
    out.stop = json.at("done_reason");
  }
  EXPECT_NE(done, out.failed);
  return out;
}

std::string written(Dialect dialect, const std::vector<StreamEvent>& events) {
  const auto writer = make_stream_writer(dialect, {.id = "i", .model = "m", .include_usage = true});
  std::string out;
  for (const StreamEvent& event : events) writer->on(event, 1002, out);
  return out;
}

void check_stop_reason(const Received& anthropic) {
  if (anthropic.failed) return;
  bool all_whole = true;
  for (const std::string& arguments : anthropic.tool_arguments) {
    const auto parsed = parse_json(arguments);
    all_whole = all_whole && parsed && parsed->is_object();
  }
  if (anthropic.tool_arguments.empty()) {
    EXPECT_NE(anthropic.stop, "tool_use");
  } else if (!all_whole) {
    EXPECT_TRUE(ends_early(anthropic.stop)) << anthropic.stop;
  } else if (anthropic.stop != "refusal") {
    EXPECT_EQ(anthropic.stop, "tool_use");
  }
}

// Text that a correct stream carries: all of it, up to the end.
std::string sent_text(const std::vector<StreamEvent>& events) {
  std::string out;
  for (const StreamEvent& event : events) {
    if (const auto* text = std::get_if<TextDelta>(&event)) out += text->text;
    if (std::holds_alternative<Finished>(event) || std::holds_alternative<Failed>(event)) break;
  }
  return out;
}

TEST(StreamProperties, HoldForAnySequenceInEveryDialect) {
  std::map<std::string, int> ends;
  for (int i = 0; i < kSequences; ++i) {
    const auto seed = static_cast<std::uint64_t>(i) * 7919 + 17;
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto events = random_events(seed);
    const Received anthropic = check_anthropic(written(Dialect::kAnthropicMessages, events));
    const Received openai = check_openai(written(Dialect::kOpenAiChat, events));
    const Received responses = check_responses(written(Dialect::kOpenAiResponses, events));
    const Received ollama = check_ollama(written(Dialect::kOllamaChat, events));
    check_stop_reason(anthropic);
    const std::string text = sent_text(events);
    EXPECT_EQ(anthropic.text, text);
    EXPECT_EQ(openai.text, text);
    EXPECT_EQ(ollama.text, text);
    EXPECT_EQ(openai.tool_arguments, anthropic.tool_arguments);
    EXPECT_EQ(responses.text, text);
    EXPECT_EQ(openai.failed, anthropic.failed);
    EXPECT_EQ(responses.failed, anthropic.failed);
    if (!anthropic.failed) {
      EXPECT_EQ(responses.tool_arguments, anthropic.tool_arguments);
      EXPECT_EQ(responses.stop == "incomplete", ends_early(anthropic.stop));
    }
    EXPECT_EQ(ollama.failed, anthropic.failed);
    Collector collector;
    for (const StreamEvent& event : events) collector.on(event);
    EXPECT_EQ(collector.failed().has_value(), anthropic.failed);
    ++ends[anthropic.failed ? "error" : anthropic.stop];
    if (testing::Test::HasFailure()) return;
  }
  // The generator reaches every way to end but pause_turn's; otherwise it proves little.
  for (const char* end : {"error", "end_turn", "max_tokens", "tool_use", "refusal"})
    EXPECT_GT(ends[end], 20) << end;
}

TEST(StreamProperties, WholeAnswersSayTheSameAsStreams) {
  for (int i = 0; i < kSequences; ++i) {
    const auto seed = static_cast<std::uint64_t>(i) * 104729 + 5;
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto events = random_events(seed);
    Collector collector;
    for (const StreamEvent& event : events) collector.on(event);
    if (!collector.finished()) continue;
    const Answer answer = collector.take();
    const Received stream = check_anthropic(written(Dialect::kAnthropicMessages, events));
    const Json whole =
        json_of(write_answer(Dialect::kAnthropicMessages, {.id = "i", .model = "m"}, answer));
    std::string text;
    std::size_t calls = 0;
    for (const Json& block : whole.at("content")) {
      if (block.at("type") == "text") text += block.at("text").get<std::string>();
      if (block.at("type") == "tool_use") ++calls;
    }
    EXPECT_EQ(text, stream.text);
    EXPECT_EQ(calls, stream.tool_arguments.size());
    EXPECT_EQ(whole.at("stop_reason"), stream.stop);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace tophand::chat
