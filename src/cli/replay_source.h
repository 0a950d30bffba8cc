// Requests that are over, from a ledger or a trace, for `tophand replay`. Private to cli/.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/ledger.h"

namespace tophand::cli {

// A ledger is read from a copy, so that it may be one that a gateway has open; anything else is
// taken as a trace. kNotFound, kInvalid with the line, kTooLarge over a million rows.
Result<std::vector<ledger::Row>> read_past(const std::string& path, std::int64_t since_ms);

// One JSON object a line, with the names of the rows of `GET /tophand/v1/requests`; started_ms,
// model_asked, backend, model, input_tokens and output_tokens at least.
Result<std::vector<ledger::Row>> parse_trace(std::string_view text, std::int64_t since_ms);

}  // namespace tophand::cli
