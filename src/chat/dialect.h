// The client-side half of each API: request bytes in, answer bytes out, whole and streamed. Pure
// functions and state machines; ids, times and randomness are passed in.
// Sources: docs/protocols/*.md and the recordings in tests/conformance/.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "chat/conversation.h"
#include "chat/events.h"

namespace tophand::chat {

enum class Dialect : std::uint8_t {
  kAnthropicMessages,
  kOpenAiChat,
  kOpenAiResponses,
  kOpenAiCompletions,
  kOllamaChat,
  kOllamaGenerate,
};

// A response that was kept, and the input that it answers: JSON texts, for as long as the Memory
// they are from.
struct Earlier {
  std::string_view id = {};
  std::string_view input = {};     // a string or items
  std::string_view response = {};  // as write_answer has made it
};

// What requests of the Responses API may name by its id instead of sending it again.
class Memory {
 public:
  virtual ~Memory() = default;
  // That response and those it continues, the oldest first; empty: there is none for this caller.
  virtual std::vector<Earlier> until(std::string_view response_id) = 0;
};

// Unknown fields are ignored; null is taken as absent for every optional field. kInvalid with a
// message that names the field in the dialect's own spelling and says what was found
// ("messages.2.content: expected a string or an array, found a number"); kTooLarge over the limits
// of base/json.h. Refuses a body that gives model, max_tokens or stream twice: what is priced must
// be what is sent. `memory`: nullptr where nothing is remembered; what a request names of it and is
// not there is refused in OpenAI's words (responses_stored.h).
Result<Request> parse_request(Dialect dialect, std::string_view body, Memory* memory = nullptr);
// The same, into a request as it is made; one that was refused is half read.
Result<> read_request(Dialect dialect, std::string_view body, Memory* memory, Request& request);

// The one stream of several answers to a request (several_answers.h), which come one after another:
// what their writers share. A chunk carries the index of its answer; the last answer is followed by
// the usage of all and the end of the stream.
struct SharedStream {
  std::string id = {};  // of every chunk, as created_ms
  std::int64_t created_ms = 0;
  std::int64_t answers = 1;   // in all
  std::int64_t finished = 0;  // so many have had their end: the index of the one that is written
  Usage usage = {};           // of those
};

struct AnswerContext {
  std::string id = {};          // answer_id_prefix and random characters; unused for Ollama
  std::string model = {};       // shown to the client: what it asked for
  std::int64_t created_ms = 0;  // wall clock
  bool include_usage = false;
  bool old_functions = false;  // Request::old_functions
  std::string echo_json = {};  // Request::echo_json
  // Responses: called with the whole response before its client has the end of it; whether it is
  // kept, which the response then says. Empty: it is not. Not called for one that failed.
  std::function<bool(const std::string& response)> keep = {};
  SharedStream* shared = nullptr;  // outlives the writer; nullptr: the answer has its own stream

  // nullptr: into a stream of its own.
  void write_into(SharedStream* stream);
};

// "msg_", "chatcmpl-", "resp_", "cmpl-": what ids of answers begin with.
std::string_view answer_id_prefix(Dialect dialect);

std::string write_answer(Dialect dialect, const AnswerContext& context, const Answer& answer);

// The answer to an Ollama load or unload request (Request::load_only).
std::string write_ollama_load(Dialect dialect, const AnswerContext& context, bool unloaded);

// Events in, bytes to send out. Writers repair the order that a careless backend breaks (events.h,
// Collector, has the rules): a message starts once and first, blocks never overlap, each is closed
// once. After Finished or Failed nothing more is written.
class StreamWriter {
 public:
  virtual ~StreamWriter() = default;
  // Appends the bytes for `event` to `out`. now_ms: wall clock (Ollama stamps each line).
  virtual void on(const StreamEvent& event, std::int64_t now_ms, std::string& out) = 0;
};
std::unique_ptr<StreamWriter> make_stream_writer(Dialect dialect, AnswerContext context);

std::string_view stream_content_type(Dialect dialect);  // text/event-stream or application/x-ndjson

// The Error for a model nobody here knows, in the words that clients of the dialect look for.
Error unknown_model(Dialect dialect, std::string_view model);

// Body of an error response in the dialect's own form. `type`: Claude's own, for Messages, in place
// of the one that the code gives.
std::string write_error(Dialect dialect, const Error& error, std::string_view request_id,
                        std::string_view type = "");

}  // namespace tophand::chat
