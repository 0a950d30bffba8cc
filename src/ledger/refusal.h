// A request that was refused before anything was asked for it: it has cost nothing and has no row,
// so that no sum can count it, and yet `tophand explain` is to say why.
#pragma once

#include <cstdint>
#include <string>

namespace tophand::ledger {

struct Refusal {
  std::string request_id = {}, key_id = {}, dialect = {}, model_asked = {};
  std::string task_class = {}, class_source = {}, priority = {};
  std::string agent = {}, persona = {}, session = {};
  std::string backend = {}, model = {}, tier = {};  // that was to answer; "" where none was chosen
  std::string reason = {};                          // what had been decided so far
  std::string error_code = {}, message = {};        // as the client was told
  std::int64_t at_ms = 0;                           // set by the ledger
};

// The newest are kept: a client that is refused in a loop must not fill the disk.
inline constexpr std::int64_t kRefusalsKept = 10'000;
inline constexpr std::size_t kRefusalTextBytesMax = 2'000;  // of each text; the rest is cut off

}  // namespace tophand::ledger
