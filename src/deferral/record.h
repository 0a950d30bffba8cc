// How a request that waits, and an answer that is kept, are written: a line of JSON, then the body
// as it is. Pure. For deferral/ itself.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "deferral/queue.h"

namespace tophand::deferral {

inline constexpr std::size_t kRecordBytesMax = 128U << 20;  // an answer has 64 MiB at most

std::string write_request(const Ticket& ticket, std::string_view body);
// entry.bytes is not written.
std::string write_answer(const Entry& entry, const Answer& answer);

// kCorrupt for what is no such record.
Result<Entry> read_entry(std::string_view text, State state);
Result<std::string> body_of_record(std::string_view text);
Result<Answer> read_answer(std::string_view text);

}  // namespace tophand::deferral
