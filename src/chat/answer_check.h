// What a local model's answer has to be before a client gets it: calls of the request's own tools
// with arguments that fit their schemas, JSON where JSON was asked for. And how the model is asked
// again when it is not. docs/tools.md. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chat/conversation.h"

namespace tophand::chat {

struct LocalAnswer {
  std::string text;
  std::vector<ToolUseBlock> calls;
  std::string broken_call;  // text that was meant as a call and cannot be read as one
  bool cut_off = false;     // at max_tokens or a stop string: what is not whole is not its fault
  bool refused = false;     // by the model or a filter: it would be again
};

struct Fault {
  enum class Kind : std::uint8_t {
    kBrokenCall,
    kUnknownTool,
    kArguments,
    kNoCall,
    kRepeatedCall,  // whose result is the last thing the model was told
    // of JSON, not of calls, from here on
    kNotJson,
    kWrongJson
  } kind = Kind::kBrokenCall;
  std::string finding;  // a sentence for the model
};
std::string_view fault_name(Fault::Kind kind);  // for the ledger: "arguments", ...

bool may_call_tools(const Request& request);
bool wants_json(const Request& request);

// An answer that was asked for JSON, as the client gets it: without fences and words around it;
// when it does not fit the schema, but would with small things spelled right (answer_mend.h), with
// these.
struct JsonAnswer {
  std::string text;
  std::optional<Fault> fault;  // nothing when it fits
  bool mended = false;
};
JsonAnswer read_json_answer(const Request& request, std::string_view text);

// Nothing when the client can have the answer. A schema that cannot be judged (too deep, too
// costly) holds nothing up: it is then the client's to judge, as it would be without a gateway.
std::optional<Fault> find_fault(const Request& request, const LocalAnswer& answer);

// The request with the answer and the finding behind it, to be answered more carefully: at a low
// temperature, and by a call where a call was broken.
Request ask_again(const Request& request, const LocalAnswer& answer, const Fault& fault);

}  // namespace tophand::chat
