#include "chat/responses_stored.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/json.h"
#include "chat/request_parsers.h"

namespace tophand::chat {
namespace {

constexpr std::string_view kItemReference = "item_reference";
constexpr std::size_t kShownIdBytesMax = 128;

// OpenAI's own words, which clients look for: "WHAT with id 'ID' not found."
std::string not_found(std::string_view what, std::string_view id, std::string_view more = "") {
  return std::string(what)
      .append(" with id '")
      .append(id.substr(0, kShownIdBytesMax))
      .append("' not found.")
      .append(more);
}

// "SUFFIX" of "resp_SUFFIX" and of its items' "msg_SUFFIX_0".
std::string_view suffix_of(std::string_view id) {
  const std::size_t mark = id.find('_');
  if (mark == std::string_view::npos) return id;
  id.remove_prefix(mark + 1);
  return id.substr(0, id.find('_'));
}

std::string_view id_prefix(std::string_view type) {
  if (type == "message") return "msg_";
  if (type == "reasoning") return "rs_";
  if (type == "function_call") return "fc_";
  if (type == "function_call_output") return "fco_";
  if (type == "custom_tool_call") return "ctc_";
  return type == "custom_tool_call_output" ? "ctco_" : "item_";
}

// What the SDKs' types want of a part, where the client did not say it.
void complete_parts(Json& content) {
  if (!content.is_array()) return;
  for (Json& part : content)
    if (string_or(part, "type", "") == "input_image" && find_key(part, "detail") == nullptr)
      part["detail"] = "auto";
}

// A message's text as a client may write it, in the form in which the API shows it.
Json shown_content(const Json& content, bool by_assistant) {
  if (!content.is_string()) return content;
  Json parts = Json::array();
  Json& part = parts.emplace_back(Json::object());
  part["type"] = by_assistant ? "output_text" : "input_text";
  part["text"] = content;
  if (by_assistant) part["annotations"] = Json::array();
  return parts;
}

Json shown_item(const Json& item, std::string_view response_id, std::size_t index) {
  Json out = Json::object();
  const std::string type(string_or(item, "type", "message"));
  const std::string_view own = string_or(item, "id", "");
  out["id"] = own.empty() ? std::string(id_prefix(type))
                                .append(suffix_of(response_id))
                                .append("_in")
                                .append(std::to_string(index))
                          : std::string(own);
  out["type"] = type;
  out["status"] = "completed";
  if (!item.is_object()) return out;
  for (const auto& [key, value] : item.items())
    if (key != "id" && key != "type" && !value.is_null()) out[key] = value;
  if (type == "message" && out.contains("content"))
    out["content"] = shown_content(out["content"], string_or(item, "role", "") == "assistant");
  for (const char* key : {"content", "output"})
    if (out.contains(key)) complete_parts(out[key]);
  return out;
}

Json message_of(Json content) {
  Json message = Json::object();
  message["type"] = "message";
  message["role"] = "user";
  message["content"] = std::move(content);
  return message;
}

// Of texts of our own keeping: what cannot be read is not there.
Json input_of(const Earlier& earlier) {
  auto input = parse_json(earlier.input);
  Json items = Json::array();
  if (input && input->is_array()) items = *std::move(input);
  else if (input && input->is_string() && !input->get_ref<const std::string&>().empty())
    items.push_back(message_of(*std::move(input)));
  return items;
}

Json output_of(const Earlier& earlier) {
  const auto response = parse_json(earlier.response);
  const Json* output = response ? find_key(*response, "output") : nullptr;
  return output != nullptr && output->is_array() ? *output : Json::array();
}

Json items_of(const std::vector<Earlier>& chain) {
  Json items = Json::array();
  for (const Earlier& earlier : chain) {
    const Json input = input_of(earlier);
    for (std::size_t i = 0; i < input.size(); ++i)
      items.push_back(shown_item(input[i], earlier.id, i));
    if (&earlier == &chain.back()) break;
    for (Json& item : output_of(earlier)) items.push_back(std::move(item));
  }
  return items;
}

bool is_reference(JsonView item) {
  if (!item.is_object()) return false;
  if (const JsonView type = item["type"]; !type.is_null()) return type.string() == kItemReference;
  return !item["role"].is_there() && item["id"].is_there();
}

// The item that a response of ours had under this id.
Result<Json> stored_item(std::string_view id, Memory* memory) {
  const std::string response = std::string("resp_").append(suffix_of(id));
  if (const auto chain = memory != nullptr ? memory->until(response) : std::vector<Earlier>();
      !chain.empty())
    for (Json& item : output_of(chain.back()))
      if (string_or(item, "id", "") == id) return std::move(item);
  return tl::unexpected(
      Error{Code::kNotFound,
            not_found("Item", id,
                      " Items are not stored for ever, nor where `store` is false: send the item "
                      "itself instead of a reference."),
            About::kStoredItem, "input"});
}

}  // namespace

Error unknown_response(std::string_view id) {
  return {Code::kNotFound, not_found("Response", id), About::kStoredResponse};
}

Result<std::string> write_input_items(const std::vector<Earlier>& chain, const ItemsPage& page) {
  Json items = items_of(chain);
  if (page.newest_first) std::reverse(items.begin(), items.end());
  auto begin = items.begin();
  if (!page.after.empty()) {
    begin = std::find_if(items.begin(), items.end(),
                         [&](const Json& item) { return string_or(item, "id", "") == page.after; });
    if (begin == items.end())
      return fail_field("after", "no item has this id among those of the response");
    ++begin;
  }
  const auto count = std::min<std::int64_t>(page.limit, items.end() - begin);
  Json data = Json::array();
  std::move(begin, begin + count, std::back_inserter(data));
  Json out = Json::object();
  out["object"] = "list";
  out["first_id"] = data.empty() ? Json(nullptr) : data.front()["id"];
  out["last_id"] = data.empty() ? Json(nullptr) : data.back()["id"];
  out["has_more"] = begin + count != items.end();
  out["data"] = std::move(data);
  return dump_json(out);
}

std::string write_deleted_response(std::string_view id) {
  return dump_json(Json{{"id", id}, {"object", "response"}, {"deleted", true}});
}

// --- for the parser (request_parsers.h) ----------------------------------------------------------

Result<Json> with_stored_items(const Field& input, Memory* memory) {
  bool refers = false;
  for (const JsonView item : input.view()) refers = refers || is_reference(item);
  if (!refers) return Json();
  Json items = input.tree();
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!is_reference(items[i])) continue;
    TOPHAND_FIELD(id, input.at(i)["id"].string());
    TOPHAND_FIELD(item, stored_item(id, memory));
    items[i] = std::move(item);
  }
  return items;
}

Result<std::vector<Json>> stored_conversation(const Field& previous, Memory* memory) {
  std::vector<Json> out;
  if (previous.absent()) return out;
  TOPHAND_FIELD(id, previous.string());
  const auto chain = memory != nullptr ? memory->until(id) : std::vector<Earlier>();
  if (chain.empty())
    return tl::unexpected(Error{Code::kInvalid, not_found("Previous response", id),
                                About::kPreviousResponse, "previous_response_id"});
  for (const Earlier& earlier : chain) {
    out.push_back(input_of(earlier));
    out.push_back(output_of(earlier));
  }
  return out;
}

}  // namespace tophand::chat
