// The parsers behind parse_request, one a dialect, and what they share. Internal to this room.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json_fwd.h"
#include "base/result.h"
#include "chat/billing.h"
#include "chat/conversation.h"
#include "chat/dialect.h"
#include "chat/field.h"

namespace tophand::chat {

// `request`: as it is made. They fill it in place, as it is large and moved often enough later.
Result<> parse_anthropic_request(const Field& root, Request& request);
// Of the object that is a Messages body.
Billing read_anthropic_billing(JsonView root);
Result<> parse_openai_request(const Field& root, Request& request);
Result<> parse_responses_request(const Field& root, Memory* memory, Request& request);
Result<> parse_completions_request(const Field& root, Request& request);
Result<> parse_ollama_request(const Field& root, bool generate, Request& request);

// The conversation of a Responses request: "instructions", what it continues, and "input", a string
// or items. `memory`: where what it names by id may be found; nullptr: nowhere.
Result<> parse_responses_input(const Field& root, Memory* memory, Request& request);
// The items, in arrays, of the response that the field names and of those before it. kInvalid in
// OpenAI's words where it is not found.
Result<std::vector<Json>> stored_conversation(const Field& previous, Memory* memory);
// The items of an input with those that it names by reference in their places; null where it names
// none. kNotFound where one is not found.
Result<Json> with_stored_items(const Field& input, Memory* memory);

// What OpenAI's APIs have in common. top_k, min_p and repetition_penalty are not OpenAI's, but
// local servers all take them.
Result<> parse_openai_sampling(const Field& root, Request& request);
Result<> parse_openai_stop(const Field& stop, Request& request);    // a string or several
Result<> parse_openai_stream(const Field& root, Request& request);  // with its options
// `n` answers to each of so many prompts.
Result<> parse_openai_answers(const Field& root, std::int64_t prompts, Request& request);
// A word for how much to think; others than those known are passed over.
void parse_effort(const Field& word, Request& request);
Result<> parse_tool_mode(const Field& choice, Request& request);  // "auto", "none", "required"
// tool_choice {"type":"allowed_tools"}: leaves only the tools it names to be called. After the
// tools themselves. kInvalid for a mode or a function there is none of.
Result<> parse_allowed_tools(const Field& choice, Request& request);
// A data URI, or any other address. The type is what the bytes are, where they tell: labels are
// often wrong. kInvalid for a type that models are not shown.
Result<Block> parse_image_address(const Field& address);
// OpenAI's `detail` of an image, from the object that holds it.
void note_detail(const Field& holder, Block& image);
// Results in a row answer one assistant turn: one user message. `result` has no text yet: that is
// the text in `content`; the rest (images) stands behind it, where every backend can see it.
void add_tool_result(ToolResultBlock result, std::vector<Block> content, Request& request);
// A file with `file_data` or `file_url` becomes the Claude API's document block: of text, which
// every model reads, or a PDF, which Claude does.
Result<Block> parse_file(const Field& file);
// {"type":"text"|"json_object"|"json_schema"}; `holder` has the schema, and lies elsewhere in each
// API.
Result<> parse_output_schema(const Field& format, const Field& holder, Request& request);
// OpenAI's `strict` of a tool or a schema, where it is true or false.
std::optional<bool> strict_of(const Field& holder);

// {"type":"function","function":{"name","description","parameters"}}: OpenAI's and Ollama's tools.
Result<> parse_function_tools(const Field& tools, Request& request);
// What is in "function".
Result<> parse_function(const Field& function, Request& request);

// Ollama's keep_alive: seconds, or a Go duration. Sets keep_alive_ms and keep_loaded.
Result<> parse_keep_alive(const Field& field, Request& request);

// What a body says of who asks and what for, where it is a string: priority, task_class, egress,
// agent, user_id and session_id of its metadata, and OpenAI's user, conversation, prompt_cache_key.
void parse_own_words(const Field& root, Request& request);

// A conversation that the field would continue by an id: kNotFound, about a thread.
tl::unexpected<Error> lost_conversation(const Field& id);

// Adds to request.unsupported, once.
void note_unsupported(Request& request, std::string_view what);
// Of a field that changes the answer and that nobody here honours: local models refuse it, and an
// answer of Claude's says that it was left out.
void note_unknown(Request& request, std::string_view what);

// Notes a tool that only its own vendor can run, or a history item of one: the other backends are
// asked without it.
void leave_out(Request& request, std::string_view what);

// Names `logit_bias`, which no backend here is given, where it asks for something.
void leave_out_logit_bias(const Field& bias, Request& request);

// What comes out as arguments of a tool call that a client replays. Text that is not a JSON object
// (models make such calls, and clients send them back) is kept under "invalid_arguments": refusing
// it would make the conversation unusable for good. "" and what servers in Go make of no arguments,
// "null", are {}.
std::string arguments_as_object(std::string_view text);

// Splits "data:image/png;base64,...." ; nothing when it is something else. White space in the data,
// as of lines, is taken out: no API takes it.
struct DataUri {
  std::string media_type, base64;
};
std::optional<DataUri> parse_data_uri(std::string_view uri);

// "image/png" and the like from the first bytes of base64 data; "" when they say nothing.
std::string_view sniff_image_type(std::string_view base64);
// What an image is: what its bytes say, else the label as the types are spelled.
std::string image_type(std::string_view base64, std::string_view label);

}  // namespace tophand::chat
