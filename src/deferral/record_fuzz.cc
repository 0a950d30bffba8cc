// Files of the queue as a disk may give them back: reading ends, and what was read can be written
// and read again. And requests of any bytes as they are written: what comes back is what came.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "base/json_text.h"
#include "deferral/batch_log.h"
#include "deferral/record.h"

namespace {

using namespace tophand::deferral;

bool same(const Ticket& a, const Ticket& b) {
  return a.id == b.id && a.key_id == b.key_id && a.path == b.path && a.query == b.query &&
         a.headers == b.headers && a.model == b.model && a.task_class == b.task_class &&
         a.created_ms == b.created_ms && a.deadline_ms == b.deadline_ms;
}

void check_read(std::string_view text) {
  const auto entry = read_entry(text, State::kWaiting);
  const auto body = body_of_record(text);
  TOPHAND_ASSERT(!entry || body);
  if (!entry) return;
  const std::string written = write_request(entry->ticket, *body);
  const auto again = read_entry(written, State::kWaiting);
  TOPHAND_ASSERT(again && same(again->ticket, entry->ticket));
  TOPHAND_ASSERT(body_of_record(written) == *body);
  if (const auto answer = read_answer(text)) {
    const std::string kept = write_answer(*entry, *answer);
    const auto back = read_answer(kept);
    TOPHAND_ASSERT(back && back->status == answer->status && back->headers == answer->headers &&
                   back->content_type == answer->content_type && back->body == answer->body);
    const auto whole = read_entry(kept, State::kAnswered);
    TOPHAND_ASSERT(whole && same(whole->ticket, entry->ticket) &&
                   whole->answered_ms == entry->answered_ms && whole->status == answer->status);
  }
}

// The bytes as a body and as an answer; as the value of a header where they are text.
void check_written(std::string_view bytes) {
  Ticket ticket{.id = "req_1", .key_id = "k", .path = "/v1/messages", .created_ms = 1};
  if (tophand::is_utf8(bytes)) ticket.headers = {{"x-one", std::string(bytes)}, {"x-one", ""}};
  const std::string text = write_request(ticket, bytes);
  const auto entry = read_entry(text, State::kWaiting);
  TOPHAND_ASSERT(entry && same(entry->ticket, ticket) && body_of_record(text) == bytes);
  const Answer answer{
      .content_type = "text/plain", .headers = ticket.headers, .body = std::string(bytes)};
  const auto back = read_answer(write_answer(*entry, answer));
  TOPHAND_ASSERT(back && back->status == 200 && back->body == bytes &&
                 back->headers == ticket.headers);
}

// A whole record with the bytes put somewhere into it.
void check_damaged(std::string_view bytes) {
  if (bytes.size() < 3) return;
  const Ticket ticket{.id = "req_1",
                      .key_id = "k",
                      .path = "/v1/messages",
                      .query = "beta=true",
                      .headers = {{"anthropic-beta", "x"}, {"session-id", "s"}},
                      .model = "auto",
                      .task_class = "doc",
                      .created_ms = 1,
                      .deadline_ms = 2};
  const Entry entry{.ticket = ticket, .answered_ms = 3};
  std::string text = write_answer(entry, {.headers = {{"x-tophand-model", "m"}}, .body = "{}"});
  const auto at = [&](std::size_t i) { return std::size_t{static_cast<unsigned char>(bytes[i])}; };
  const std::size_t from = (at(0) * 256 + at(1)) % text.size();
  text.replace(from, std::min(at(2), text.size() - from), bytes.substr(3));
  check_read(text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_read(text);
  check_written(text);
  check_damaged(text);
  if (const auto batch = read_batch(text)) {
    const auto again = read_batch(write_batch(*batch));
    TOPHAND_ASSERT(again && again->items == batch->items && again->stage == batch->stage &&
                   again->name == batch->name && again->provider_id == batch->provider_id &&
                   again->sent_ms == batch->sent_ms && again->stopped == batch->stopped);
  }
  return 0;
}
