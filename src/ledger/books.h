// Every version of the price book that is at hand, and a verdict as JSON: what the gateway and the
// command line need to verify a ledger.
#pragma once

#include <string>
#include <vector>

#include "ledger/prices.h"
#include "ledger/verdict.h"

namespace tophand::ledger {

// The book in force, the other *.json files beside it (earlier versions, kept so that old rows can
// be recomputed), and the one that is built in. Files that are no price books are passed over.
std::vector<PriceBook> known_books(const PriceBook& in_force);

// One object, with "whole" and, where it is not, "fault".
std::string verdict_json(const Verdict& verdict);

}  // namespace tophand::ledger
