// Whether low-priority work waits for a better time, for what, and until when. Pure: what the time
// is and when the night begins is passed in. server/ asks once a request that may wait.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "policy/words.h"

namespace tophand::policy {

inline constexpr std::int64_t kDeadlineSecondsMax = 604'800;  // a week

struct DeferSettings {
  std::int64_t deadline_s = 3600;   // of what may wait and says no time of its own
  std::int64_t hold_s = 600;        // longest that a connection is kept open for it
  std::optional<Hours> night = {};  // absent: there is none
  bool batch = false;               // the Batch API may be used
  std::int64_t batch_min_s = 3600;  // with less time left it is not
};

// "600" (seconds), "90s", "30m", "8h", "2d", at most a week; "0": it may not wait. Nothing for
// anything else.
std::optional<std::int64_t> parse_deadline(std::string_view text);
// 5400 -> "90 min": in the largest unit that it is a whole number of.
std::string span_name(std::int64_t seconds);

// How long what has to be answered within `deadline_ms` may wait before it is begun: an answer
// takes its time too, for which a quarter is left, and never more than ten minutes.
std::int64_t patience_ms(std::int64_t deadline_ms);

// How long an answer to it is waited for until it begins: half a minute behind the deadline it is
// too late to be of use. 0 where there is no deadline.
std::int64_t begins_within_ms(std::int64_t deadline_ms);

// What is known when a request that may wait has been decided.
struct WaitFacts {
  std::int64_t deadline_ms = 0;   // that is left until it has to be answered
  bool bound_for_claude = false;  // by its first target; else a local model is to answer
  bool held = false;              // its client keeps the connection open
  bool batchable = false;         // it can be put into a batch at all
  std::optional<std::int64_t> night_in_ms = {};  // until the night begins, 0: it is night
};

struct Wait {
  enum class What : std::uint8_t {
    kNothing,  // it is begun now
    kPlace,  // begun now, but for up to `ms` it rather waits for a local place than goes to Claude
    kNight,  // in `ms` the night begins: it is decided again then
    kBatch,  // handed to the Batch API, which has `ms` for it
  } what = What::kNothing;
  std::int64_t ms = 0;
};

// Work for a local model waits for a place, whatever the time of day: at night there is one. Work
// for Claude that nobody holds a connection for goes into a batch at half the price; else it waits
// for the night, if that begins in time, because what is decided by hours or by the budget may be
// decided otherwise then; else nothing is gained by waiting.
Wait plan_wait(const WaitFacts& facts, const DeferSettings& settings);

}  // namespace tophand::policy
