#include "chat/answer_check.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "base/json.h"
#include "base/json_schema.h"
#include "chat/answer_mend.h"
#include "chat/request_parsers.h"

namespace tophand::chat {
namespace {

constexpr double kSecondTryTemperatureMax = 0.2;
constexpr std::size_t kNamesShownMax = 24;

std::string tool_names(const Request& request) {
  std::string out;
  std::size_t shown = 0;
  for (const Tool& tool : request.tools) {
    if (shown++ == kNamesShownMax) return out + ", ...";
    out += (out.empty() ? "" : ", ") + tool.name;
  }
  return out;
}

// Nothing when the value fits, and when the schema cannot be judged.
std::optional<std::string> misfit(const Json& schema, const Json& value, std::string_view root) {
  auto found = schema_mismatch(schema, value, root);
  return found ? *std::move(found) : std::nullopt;
}

std::optional<Fault> call_fault(const Request& request, const ToolUseBlock& call, bool cut_off) {
  const auto tool = std::ranges::find(request.tools, call.name, &Tool::name);
  if (tool == request.tools.end())
    return Fault{Fault::Kind::kUnknownTool, "There is no tool named \"" + call.name +
                                                "\". The tools are: " + tool_names(request) + "."};
  const auto arguments = parse_json(call.input_json.empty() ? "{}" : call.input_json);
  if (!arguments || !arguments->is_object()) {
    if (cut_off) return std::nullopt;
    return Fault{Fault::Kind::kBrokenCall,
                 "The arguments of \"" + call.name + "\" are not a JSON object" +
                     (arguments ? "" : " (" + arguments.error().message + ")") + "."};
  }
  const auto schema = parse_json(tool->input_schema_json);
  if (!schema) return std::nullopt;
  const auto what = misfit(*schema, *arguments, "arguments");
  if (!what) return std::nullopt;
  return Fault{Fault::Kind::kArguments,
               "The arguments of \"" + call.name + "\" do not fit its parameters: " + *what + "."};
}

// The bracket that every value which fits begins with; 0 when other values may fit too.
char opening_bracket(const Request& request) {
  if (request.json_schema.empty()) return '{';
  const auto schema = parse_json(request.json_schema);
  const std::string_view type = schema ? string_or(*schema, "type", "") : "";
  return type == "object" ? '{' : type == "array" ? '[' : '\0';
}

// Words where only an object or an array can be: no limit would have made JSON of them.
std::optional<Fault> prose_fault(const Request& request, std::string_view text) {
  if (is_blank(text) || text.find_first_of("{[") != std::string_view::npos) return std::nullopt;
  const char bracket = opening_bracket(request);
  if (bracket == '\0') return std::nullopt;
  return Fault{Fault::Kind::kNotJson, std::string("There is no JSON in the answer: it has to ") +
                                          "begin with \"" + bracket + "\"."};
}

// What is wrong with one JSON value; nothing when it can go to the client.
std::optional<Fault> value_fault(const Request& request, const Json* schema, const Json& value) {
  if (request.json_schema.empty()) {
    if (value.is_object()) return std::nullopt;
    return Fault{Fault::Kind::kWrongJson, "The answer is JSON, but not an object."};
  }
  if (schema == nullptr) return std::nullopt;
  const auto what = misfit(*schema, value, "answer");
  if (!what) return std::nullopt;
  return Fault{Fault::Kind::kWrongJson, "The JSON does not fit the schema: " + *what + "."};
}

// A call that was asked for and not made.
std::optional<Fault> missing_call(const Request& request, const LocalAnswer& answer) {
  const ToolChoice& choice = request.tool_choice;
  if (choice.kind == ToolChoice::Kind::kAny && answer.calls.empty())
    return Fault{Fault::Kind::kNoCall,
                 "You have to call one of the tools: " + tool_names(request) + "."};
  const bool named = choice.kind == ToolChoice::Kind::kNamed;
  if (named &&
      std::ranges::find(answer.calls, choice.name, &ToolUseBlock::name) == answer.calls.end())
    return Fault{Fault::Kind::kNoCall, "You have to call the tool \"" + choice.name + "\"."};
  return std::nullopt;
}

// As JSON, whatever the order of the members.
bool same_arguments(std::string_view a, std::string_view b) {
  const auto one = parse_json(a.empty() ? "{}" : a), other = parse_json(b.empty() ? "{}" : b);
  if (!one || !other || !one->is_object() || !other->is_object() || one->size() != other->size())
    return false;
  return std::ranges::all_of(one->items(), [&](const auto& member) {
    const Json* found = find_key(*other, member.key());
    return found != nullptr && *found == member.value();
  });
}

// The calls whose good results are all that the last message has. When a person speaks behind them,
// or a call failed, making it again may be what is wanted.
std::vector<const ToolUseBlock*> answered_calls(const Request& request) {
  std::vector<const ToolUseBlock*> calls;
  const std::size_t count = request.messages.size();
  if (count < 2 || request.messages[count - 2].role != Role::kAssistant) return calls;
  std::vector<std::string_view> ids;
  for (const Block& block : request.messages[count - 1].blocks) {
    const auto* result = std::get_if<ToolResultBlock>(&block);
    if (result == nullptr) return calls;
    if (!result->is_error) ids.push_back(result->tool_use_id);
  }
  for (const Block& block : request.messages[count - 2].blocks)
    if (const auto* call = std::get_if<ToolUseBlock>(&block);
        call != nullptr && std::ranges::find(ids, call->id) != ids.end())
      calls.push_back(call);
  return calls;
}

// Small models that have got a result often make the same call again, and again, up to the agent's
// limit of turns.
std::optional<Fault> repeated_call(const Request& request, const LocalAnswer& answer) {
  if (answer.calls.empty() || request.tool_choice.kind != ToolChoice::Kind::kAuto)
    return std::nullopt;
  const auto answered = answered_calls(request);
  const bool all_repeated = std::ranges::all_of(answer.calls, [&](const ToolUseBlock& call) {
    return std::ranges::any_of(answered, [&](const ToolUseBlock* before) {
      return before->name == call.name && same_arguments(before->input_json, call.input_json);
    });
  });
  if (!all_repeated) return std::nullopt;
  return Fault{Fault::Kind::kRepeatedCall, "You have the result of this call of \"" +
                                               answer.calls.front().name +
                                               "\": do not make it again."};
}

// A limit excuses what is not whole, but not prose in the place of what was demanded.
std::optional<Fault> fault_before_limit(const Request& request, const LocalAnswer& answer) {
  const bool is_prose =
      answer.calls.empty() && answer.broken_call.empty() && !is_blank(answer.text);
  if (!is_prose) return std::nullopt;
  if (may_call_tools(request))
    if (auto fault = missing_call(request, answer)) return fault;
  return wants_json(request) ? prose_fault(request, answer.text) : std::nullopt;
}

std::string_view what_to_do(Fault::Kind kind) {
  switch (kind) {
    case Fault::Kind::kBrokenCall:
    case Fault::Kind::kUnknownTool:
    case Fault::Kind::kArguments:
    case Fault::Kind::kNoCall:
      return " Make the tool call again, mended, and write nothing else.";
    case Fault::Kind::kRepeatedCall:
      return " Answer with what it says; call a tool only for what it does not say.";
    case Fault::Kind::kNotJson:
    case Fault::Kind::kWrongJson:
      break;
  }
  return " Answer again with the mended JSON and nothing else.";
}

}  // namespace

std::string_view fault_name(Fault::Kind kind) {
  switch (kind) {
    case Fault::Kind::kBrokenCall:
      return "broken tool call";
    case Fault::Kind::kUnknownTool:
      return "unknown tool";
    case Fault::Kind::kArguments:
      return "arguments against the schema";
    case Fault::Kind::kNoCall:
      return "no tool call";
    case Fault::Kind::kRepeatedCall:
      return "repeated call";
    case Fault::Kind::kNotJson:
      return "no JSON";
    case Fault::Kind::kWrongJson:
      break;
  }
  return "JSON against the schema";
}

bool may_call_tools(const Request& request) {
  return !request.tools.empty() && request.tool_choice.kind != ToolChoice::Kind::kNone;
}

bool wants_json(const Request& request) {
  return request.json_object || !request.json_schema.empty();
}

JsonAnswer read_json_answer(const Request& request, std::string_view text) {
  const auto read_schema = parse_json(request.json_schema);
  const Json* schema = read_schema ? &*read_schema : nullptr;
  const std::vector<std::string_view> candidates = json_candidates(text);
  std::vector<Json> values;
  std::optional<Fault> fault;
  for (const std::string_view candidate : candidates) {
    auto value = parse_json(candidate);
    if (!value) continue;
    auto wrong = value_fault(request, schema, *value);
    if (!wrong) return {.text = std::string(candidate), .fault = {}};
    if (!fault) fault = std::move(wrong);
    values.push_back(std::move(*value));
  }
  if (schema != nullptr)
    for (Json& value : values) {
      const Json mended = mended_json(*schema, std::move(value));
      if (!value_fault(request, schema, mended))
        return {.text = dump_json(mended), .fault = {}, .mended = true};
    }
  if (!fault) fault = prose_fault(request, text);
  if (!fault)
    fault =
        Fault{Fault::Kind::kNotJson,
              "The answer is not JSON: " + parse_json(candidates.front()).error().message + "."};
  return {.text = std::string(candidates.front()), .fault = std::move(fault)};
}

std::optional<Fault> find_fault(const Request& request, const LocalAnswer& answer) {
  if (answer.refused) return std::nullopt;
  for (const ToolUseBlock& call : answer.calls)
    if (auto fault = call_fault(request, call, answer.cut_off)) return fault;
  if (answer.cut_off) return fault_before_limit(request, answer);
  if (!answer.broken_call.empty())
    return Fault{Fault::Kind::kBrokenCall,
                 "Your tool call could not be read as a valid call of one of the tools (" +
                     tool_names(request) + "): it has to be JSON with \"name\" and \"arguments\"."};
  if (may_call_tools(request))
    if (auto fault = missing_call(request, answer)) return fault;
  if (auto fault = repeated_call(request, answer)) return fault;
  if (wants_json(request) && answer.calls.empty())
    return read_json_answer(request, answer.text).fault;
  return std::nullopt;
}

Request ask_again(const Request& request, const LocalAnswer& answer, const Fault& fault) {
  Request again = request;
  auto& temperature = again.sampling.temperature;
  if (temperature) temperature = std::min(*temperature, kSecondTryTemperatureMax);
  const std::string what = fault.finding + std::string(what_to_do(fault.kind));
  if (fault.kind == Fault::Kind::kRepeatedCall) {
    // Behind the result that it has. Shown its call twice it makes it a third time.
    again.messages.back().blocks.emplace_back(TextBlock{what});
    return again;
  }
  Message said{Role::kAssistant, {}};
  const std::string text = answer.text + answer.broken_call;
  if (!is_blank(text)) said.blocks.emplace_back(TextBlock{text});
  Message told{Role::kUser, {}};
  for (const ToolUseBlock& call : answer.calls) {
    said.blocks.emplace_back(
        ToolUseBlock{call.id, call.name, arguments_as_object(call.input_json)});
    told.blocks.emplace_back(ToolResultBlock{call.id, call.name, what, true});
  }
  if (answer.calls.empty()) told.blocks.emplace_back(TextBlock{what});
  if (!said.blocks.empty()) again.messages.push_back(std::move(said));
  again.messages.push_back(std::move(told));
  // Small models answer a finding about a call with prose; this one has to be a call.
  const bool about_call = fault.kind < Fault::Kind::kNotJson;
  if (about_call && again.tool_choice.kind == ToolChoice::Kind::kAuto)
    again.tool_choice.kind = ToolChoice::Kind::kAny;
  return again;
}

}  // namespace tophand::chat
