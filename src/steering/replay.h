// What another policy would have made of requests that are over: each is put to policy::decide as
// it came, with the time it came at, and priced from its own tokens. Says nothing of whether
// another model's answer would have done. Pure, so the same rows give the same result.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "config/config.h"
#include "ledger/ledger.h"
#include "ledger/prices.h"

namespace tophand::steering {

struct Replayed {
  std::string request_id;
  std::int64_t started_ms = 0;
  std::string from, to;  // "small:1b (local)", "claude-opus-5-5 (hard)"
  ledger::NanoUsd cost_was = 0, cost_is = 0;
  bool moved = false, estimated = false;  // its tokens are a guess at another model's
  std::string refused;                    // why the other policy would not have answered; else ""
  std::string reason;                     // of the other policy's decision
};

struct Replay {
  std::vector<Replayed> requests;  // in the order they came
  std::int64_t first_ms = 0, last_ms = 0;
  ledger::NanoUsd cost_was = 0, cost_is = 0;
  ledger::NanoUsd estimated = 0;  // of cost_is
  std::int64_t moved = 0, refused = 0;
  struct Move {
    std::int64_t count = 0;
    ledger::NanoUsd cost_was = 0, cost_is = 0;
  };
  std::map<std::string, Move> moves;  // "FROM -> TO"
};

// The cost of a row of a trace that does not say it: that of its tokens.
inline constexpr ledger::NanoUsd kCostNotSaid = -1;

// `rows`: of the ledger, oldest first; only answers to clients count. A week's budget is paced anew
// over what the other policy would have spent. Tool loops and whether a request had tools or images
// are not in a ledger and not replayed.
// `key_names`: what people call the keys, by id.
Replay replay(const std::vector<ledger::Row>& rows, const config::Config& config,
              const ledger::PriceBook& prices,
              const std::map<std::string, std::string>& key_names = {});

}  // namespace tophand::steering
