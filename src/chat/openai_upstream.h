// OpenAI's Chat Completions API seen from the client's side: how a conversation is asked of a
// server that speaks it, and what its answers mean. Pure.
// Sources: docs/protocols/openai-chat.md; for what single servers do otherwise docs/backends.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_view.h"
#include "chat/conversation.h"
#include "chat/events.h"
#include "chat/pair_joiner.h"

namespace tophand::chat {

// What one kind of server wants otherwise than another.
struct OpenAiQuirks {
  enum class Thinking : std::uint8_t {
    kUnsaid,          // there is no switch
    kTemplateKwargs,  // chat_template_kwargs.enable_thinking
    kTopLevel,        // enable_thinking
    kEffort,          // reasoning_effort: "none" turns it off
  };
  // How it is turned on and off. How much ("low", "medium", "high"), where the client said so, is
  // reasoning_effort for all.
  Thinking thinking = Thinking::kUnsaid;
  std::string_view max_tokens = "max_tokens";  // the field's name
  std::int64_t max_tokens_default = 0;         // sent when nobody said one; 0: leave it out
  // Tokens that the context has left for the answer: a limit above it is none, and is left out.
  std::optional<std::int64_t> room = {};
  // What it calls the penalty of repetition; "": it knows neither that nor top_k and min_p.
  std::string_view repeat_penalty = "";
  bool response_format = true;       // knows json_object and json_schema
  bool named_tool_choice = true;     // false: the named tool alone is sent, as "required"
  bool allowed_tools = false;        // knows that tool_choice; false: only those tools are sent
  bool says_parallel_calls = false;  // parallel_tool_calls is sent when true, too
  // How it is told to go on with an assistant's last message instead of answering it.
  enum class GoingOn : std::uint8_t {
    kUnsaid,    // it does so by itself, or cannot
    kTemplate,  // vLLM, SGLang: add_generation_prompt and continue_final_message
    kContinue,  // text-generation-webui: continue_
  };
  GoingOn going_on = GoingOn::kUnsaid;
  bool system_anywhere = false;      // false: later system text becomes marked user text
  // Whether assistant messages hold reasoning_content: what a local model thought.
  enum class ReasoningBack : std::uint8_t { kNever, kWithCalls, kAlways };
  ReasoningBack reasoning_back = ReasoningBack::kNever;
  // What stood beside calls in the server's own answers, by their ids: "extra_content", JSON.
  const std::map<std::string, std::string>* beside_calls = nullptr;
};

// The body for /chat/completions, or for /completions when the request is a raw prompt.
std::string write_openai_request(const Request& request, std::string_view model,
                                 const OpenAiQuirks& quirks);

// An answer to our events: the data of each SSE event, or a whole answer's body as one. Takes what
// servers really send: usage in a chunk without choices, reasoning under two names, tool calls cut
// anywhere or whole, with or without index and id, or said twice, finish_reason in any chunk, no
// [DONE], errors inside the stream.
class OpenAiStreamReader {
 public:
  // `id_prefix`: for tool calls that come without an id; must differ from answer to answer.
  explicit OpenAiStreamReader(std::string id_prefix) : id_prefix_(std::move(id_prefix)) {}
  void on_data(std::string_view data, std::vector<StreamEvent>& out);
  // The stream ended: a failure unless it had said why the model stopped.
  void on_end(std::vector<StreamEvent>& out);
  bool finished() const { return finished_; }  // Finished or Failed was given out
  bool said_reason() const { return said_reason_; }  // why the model stopped
  bool has_reasoning_content() const { return has_reasoning_content_; }
  // As OpenAiQuirks wants it, of the calls that were given out.
  const std::map<std::string, std::string>& beside_calls() const { return beside_calls_; }

 private:
  struct Call {
    std::int64_t index = 0;
    std::string id, name, arguments;
    std::string beside = {};  // "extra_content": Gemini's signatures
    bool in_pieces = false;   // came in more than one
    bool may_repeat = false;  // looks like one before it: held until it is over
    std::size_t told = 0;     // bytes of its arguments that have been given out
    // "{}" may be what some servers say before the arguments come.
    bool is_placeholder() const { return told == 0 && arguments == "{}"; }
  };
  void read_usage(JsonView chunk);
  void read_choice(JsonView choice, std::vector<StreamEvent>& out);
  void read_text(JsonView delta, std::vector<StreamEvent>& out);
  void read_calls(const std::vector<JsonView>& calls, std::vector<StreamEvent>& out);
  // A fragment of a call, or a whole one.
  struct Piece {
    explicit Piece(JsonView call);
    std::string id;
    JsonView function;
    JsonView beside;
    std::optional<std::int64_t> index;
  };
  void read_call(const Piece& piece, std::size_t before, std::vector<StreamEvent>& out);
  static void take_name(const std::string& piece, Call& call);
  std::size_t find_call(const Piece& piece);
  std::size_t add_call(std::int64_t index, std::string name);
  static bool has_next_object(const Call& call, JsonView function);
  bool may_repeat(const Call& call, std::size_t before) const;
  bool is_repeat(std::size_t at) const;
  void start_call(std::vector<StreamEvent>& out);
  void tell_arguments(std::vector<StreamEvent>& out);
  void end_call(std::vector<StreamEvent>& out);
  bool hold(std::size_t bytes, std::vector<StreamEvent>& out);
  void finish(std::vector<StreamEvent>& out);
  void fail(Failed failure, std::vector<StreamEvent>& out);

  std::string id_prefix_;
  PairJoiner pairs_;
  bool started_ = false, finished_ = false, said_reason_ = false;
  bool told_text_ = false;  // some text or thinking has come
  bool refused_ = false;    // some of it as a refusal
  bool drew_ = false;       // an image, which no dialect here can tell
  bool has_reasoning_content_ = false;
  std::map<std::string, std::string> beside_calls_;
  StopReason reason_ = StopReason::kEndTurn;
  std::string stop_sequence_;
  Usage usage_;
  Timing timing_;
  // Calls are given out one after another: those behind `open_call_` wait for their turn.
  std::vector<Call> calls_;
  std::size_t open_call_ = 0;
  bool call_started_ = false;  // the open one has been given out
  std::string late_text_;      // that came after a call had begun
  std::size_t held_bytes_ = 0;
};

}  // namespace tophand::chat
