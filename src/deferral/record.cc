#include "deferral/record.h"

#include "base/json.h"

namespace tophand::deferral {
namespace {

constexpr std::int64_t kVersion = 1;
constexpr std::size_t kHeadersMax = 100;

Json json_of(const HeaderLines& headers) {
  Json out = Json::array();
  for (const auto& [name, value] : headers) out.push_back(Json::array({name, value}));
  return out;
}

Json head_of(const Ticket& ticket) {
  return {{"version", kVersion},
          {"id", ticket.id},
          {"key_id", ticket.key_id},
          {"path", ticket.path},
          {"query", ticket.query},
          {"headers", json_of(ticket.headers)},
          {"model", ticket.model},
          {"task_class", ticket.task_class},
          {"created_ms", ticket.created_ms},
          {"deadline_ms", ticket.deadline_ms}};
}

Error damaged(std::string_view what) {
  return {Code::kCorrupt, "a damaged record of a deferred request: " + std::string(what)};
}

struct Parts {
  Json head;
  std::string_view body;
};

Result<Parts> split(std::string_view text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return tl::unexpected(damaged("no head"));
  auto head = parse_json(text.substr(0, end));
  if (!head || !head->is_object()) return tl::unexpected(damaged("its head is no JSON object"));
  if (int_or(*head, "version", 0) != kVersion)
    return tl::unexpected(damaged("of another version than 1"));
  return Parts{*std::move(head), text.substr(end + 1)};
}

Result<HeaderLines> headers_of(const Json& head, std::string_view key) {
  const Json* list = find_key(head, key);
  if (list == nullptr || !list->is_array() || list->size() > kHeadersMax)
    return tl::unexpected(damaged(key));
  HeaderLines out;
  for (const Json& line : *list) {
    if (!line.is_array() || line.size() != 2 || !line[0].is_string() || !line[1].is_string())
      return tl::unexpected(damaged(key));
    out.emplace_back(line[0].get<std::string>(), line[1].get<std::string>());
  }
  return out;
}

}  // namespace

std::string write_request(const Ticket& ticket, std::string_view body) {
  return dump_json(head_of(ticket)) + "\n" + std::string(body);
}

std::string write_answer(const Entry& entry, const Answer& answer) {
  Json head = head_of(entry.ticket);
  head["answered_ms"] = entry.answered_ms;
  head["status"] = answer.status;
  head["content_type"] = answer.content_type;
  head["answer_headers"] = json_of(answer.headers);
  return dump_json(head) + "\n" + answer.body;
}

Result<Entry> read_entry(std::string_view text, State state) {
  auto parts = split(text);
  if (!parts) return tl::unexpected(std::move(parts).error());
  const Json& head = parts->head;
  auto headers = headers_of(head, "headers");
  if (!headers) return tl::unexpected(std::move(headers).error());
  const auto text_of = [&](const char* key) { return std::string(string_or(head, key, "")); };
  return Entry{.ticket = {.id = text_of("id"),
                          .key_id = text_of("key_id"),
                          .path = text_of("path"),
                          .query = text_of("query"),
                          .headers = *std::move(headers),
                          .model = text_of("model"),
                          .task_class = text_of("task_class"),
                          .created_ms = int_or(head, "created_ms", 0),
                          .deadline_ms = int_or(head, "deadline_ms", 0)},
               .state = state,
               .answered_ms = int_or(head, "answered_ms", 0),
               .status = static_cast<int>(int_or(head, "status", 0))};
}

Result<std::string> body_of_record(std::string_view text) {
  auto parts = split(text);
  if (!parts) return tl::unexpected(std::move(parts).error());
  return std::string(parts->body);
}

Result<Answer> read_answer(std::string_view text) {
  auto parts = split(text);
  if (!parts) return tl::unexpected(std::move(parts).error());
  auto headers = headers_of(parts->head, "answer_headers");
  const std::int64_t status = int_or(parts->head, "status", 0);
  if (!headers) return tl::unexpected(std::move(headers).error());
  if (status < 200 || status > 599) return tl::unexpected(damaged("its status"));
  return Answer{static_cast<int>(status), std::string(string_or(parts->head, "content_type", "")),
                *std::move(headers), std::string(parts->body)};
}

}  // namespace tophand::deferral
