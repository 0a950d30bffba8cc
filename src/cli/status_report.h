// `tophand status`: one screen of what the gateway says about itself, and what is wrong. Pure.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace tophand::cli {

// What the gateway answered to /tophand/v1/status, budget and savings (today's and the week's), or
// what the ledger's file says of the last three: JSON; "" where nothing is known.
struct StatusParts {
  std::string url = {};  // of the gateway; "": none runs
  std::int64_t now_ms = 0;
  std::string status = {}, budget = {}, today = {}, week = {};
};

struct Problem {
  std::string what, remedy;
};
std::vector<Problem> problems_of(const StatusParts& parts);

void print_status(const StatusParts& parts, std::ostream& out);
std::string status_json(const StatusParts& parts);

}  // namespace tophand::cli
