// The one conversation type: a superset of the Anthropic Messages content blocks. Dialects turn
// bytes into it and it into bytes; backends and policy see nothing else. Pure data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "chat/billing.h"

namespace tophand::chat {

enum class Role : std::uint8_t { kSystem, kUser, kAssistant };

// `cache`: the client's mark behind the block, of dialects whose bytes Claude does not get.
struct TextBlock {
  std::string text;
  CacheMark cache = CacheMark::kNone;
  // Of an answer, OpenAI's `refusal`: words for people, not what was asked for. Servers are told
  // it again as plain text, which all of them show their model.
  bool refuses = false;
};
struct ImageBlock {
  std::string media_type;  // "image/png"
  std::string base64;      // or
  std::string url;
  CacheMark cache = CacheMark::kNone;
  std::string detail = {};  // OpenAI's "low", "high", ...: how closely to look, "" when not given
};
struct ToolUseBlock {
  std::string id, name;
  std::string input_json;  // an object; in an answer cut off at its limit perhaps only its start
  CacheMark cache = CacheMark::kNone;
};
struct ToolResultBlock {
  std::string tool_use_id, tool_name;  // the name where the dialect gives it (Ollama)
  std::string text;                    // blocks joined
  bool is_error = false;
  CacheMark cache = CacheMark::kNone;
};
struct ThinkingBlock {
  std::string thinking, signature;
};
// A block that only its own vendor understands (document, server tools, redacted thinking); kept
// as JSON. Local models cannot take it.
struct OpaqueBlock {
  std::string type, json;
  CacheMark cache = CacheMark::kNone;
};
using Block =
    std::variant<TextBlock, ImageBlock, ToolUseBlock, ToolResultBlock, ThinkingBlock, OpaqueBlock>;

struct Message {
  Role role = Role::kUser;
  std::vector<Block> blocks;
  std::string name = {};  // OpenAI's word for who of several speaks; no other API knows it
};

struct Tool {
  std::string name, description;
  std::string input_schema_json;    // "{}" when none was given
  std::optional<bool> strict = {};  // OpenAI's word, for servers that speak its API
  CacheMark cache = CacheMark::kNone;
};

struct ToolChoice {
  enum class Kind : std::uint8_t { kAuto, kAny, kNone, kNamed } kind = Kind::kAuto;
  std::string name = {};
  bool parallel = true;
};

// Absent: the model's or persona's default.
struct Sampling {
  std::optional<double> temperature, top_p, min_p, repeat_penalty;
  std::optional<double> presence_penalty, frequency_penalty;
  std::optional<std::int64_t> top_k, seed;
};

// In the order of what they mean; one lives a request.
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding)
struct Request {
  std::string model;
  std::vector<Message> messages;  // system text comes first, in order, as Role::kSystem
  std::vector<Tool> tools;
  // OpenAI's allowed_tools: all that the caller has, in its order, where `tools` is a part of them.
  std::vector<Tool> tools_of_caller;
  ToolChoice tool_choice;
  bool old_functions = false;  // OpenAI's `functions`: answered with one `function_call`
  Sampling sampling;
  std::optional<std::int64_t> max_tokens;
  std::vector<std::string> stop;
  std::int64_t answers = 1;  // asked for by OpenAI's `n` and prompts: several_answers.h
  bool stream = false;
  bool include_usage = false;       // OpenAI stream_options.include_usage
  bool json_object = false;         // response_format json_object / Ollama format "json"
  std::string json_schema;          // asked-for schema, "" when none
  std::optional<bool> json_strict;  // as Tool::strict
  std::string json_name;            // what OpenAI's API calls the schema, "" when not given
  std::string json_description;     // and says of it
  std::string priority;             // metadata.priority, "" when not given
  std::string task_class;           // metadata.task_class, "" when not given
  std::string egress;               // metadata.egress, "" when not given
  std::string deadline;             // metadata.deadline, "" when not given
  std::string agent;                // metadata.agent: what the caller calls itself
  std::string user;                 // metadata.user_id, or `user`
  std::string session;              // metadata.session_id, `conversation`, or `prompt_cache_key`
  bool raw_prompt = false;          // Ollama generate raw=true: no template
  bool load_only = false;           // Ollama: empty prompt/messages
  std::optional<bool> keep_loaded;  // Ollama keep_alive: false = 0
  std::optional<std::int64_t> keep_alive_ms;  // Ollama keep_alive; negative: for ever
  std::optional<bool> think;                  // Ollama think; absent: the model's default
  std::string effort;  // how much, where it was said: "low", "medium", "high", "xhigh"
  // What a local model cannot honour. parse_request names what has no place in this type
  // ("server_tool", "suffix", "logprobs", ...), prepare_for_local adds the blocks ("image", ...).
  std::vector<std::string> unsupported;
  // Tools and items that only their vendor knows ("web_search", "namespace"), and "logprobs";
  // answered without them unless the bytes go to that vendor as they came.
  std::vector<std::string> left_out;
  // Of a Messages body, whose bytes Claude gets as they are; of others the cache_write only.
  Billing billing;
  CacheMark cache_ends = CacheMark::kNone;  // one mark for the request: where it is best
  std::string echo_json;  // Responses: the settings that its answers repeat, an object
  bool store = false;     // Responses: its answer may be kept
  std::string continues;  // Responses: the id of the response that stands in front, or ""
  // Responses: the input's items, where some were named by reference; else "", and the body's are
  // whole.
  std::string whole_input_json;
};

// Readies a request for a local model: drops what changes between sessions without meaning anything
// to a model (system blocks starting with "x-anthropic-billing-header:", "<total_tokens>" markers;
// both would spoil the cached prompt prefix), drops emptied blocks and messages, says in the system
// text when JSON is wanted, and completes `unsupported`. Idempotent. Not for the Claude API.
void prepare_for_local(Request& request);
// A copy that is ready; nothing where the request is as it stands, as most are: a copy of a long
// conversation would be the most of what a request costs.
std::optional<Request> readied_for_local(const Request& request);

struct Usage {
  std::int64_t input_tokens = 0;  // uncached only
  std::int64_t cache_read_tokens = 0;
  std::int64_t cache_write_5m_tokens = 0;
  std::int64_t cache_write_1h_tokens = 0;
  std::int64_t output_tokens = 0;
  std::int64_t thinking_tokens = 0;  // part of output_tokens
  std::int64_t web_searches = 0;
  bool us_only = false, batch = false;  // terms that change the price
  std::int64_t total_input() const {
    return input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens;
  }
  // What is paid by the token; not what these are parts of, and no terms.
  void add_tokens(const Usage& more) {
    input_tokens += more.input_tokens;
    cache_read_tokens += more.cache_read_tokens;
    cache_write_5m_tokens += more.cache_write_5m_tokens;
    cache_write_1h_tokens += more.cache_write_1h_tokens;
    output_tokens += more.output_tokens;
  }
};

// Of a local answer, ns; 0 when unknown. The total holds the rest, as Ollama's does.
struct Timing {
  std::int64_t load_ns = 0, prefill_ns = 0, decode_ns = 0, total_ns = 0;
};

enum class StopReason : std::uint8_t {
  kEndTurn,
  kMaxTokens,
  kStopSequence,
  kToolUse,
  kPauseTurn,
  kRefusal,
  kContextFull,
};

}  // namespace tophand::chat
