#include <array>
#include <string>

#include "ledger/ledger.h"

namespace tophand::ledger {
namespace {

constexpr std::uint64_t kDollar = 1'000'000'000;

std::uint64_t round_to(std::uint64_t amount, std::uint64_t unit) {  // half up
  return amount / unit * unit + (amount % unit >= (unit + 1) / 2 ? unit : 0);
}

}  // namespace

std::string format_usd(NanoUsd amount) {
  // Negation in unsigned arithmetic, because -INT64_MIN is no int64.
  const bool negative = amount < 0;
  const auto bits = static_cast<std::uint64_t>(amount);
  std::uint64_t nano = negative ? ~bits + 1 : bits;
  std::uint64_t unit = kDollar / 100;
  if (nano < kDollar) {
    unit = 1;
    while (nano / unit >= 10'000) unit *= 10;
  }
  if (unit > 1) nano = round_to(nano, unit);
  std::string decimals = std::to_string(kDollar + nano % kDollar).substr(1);
  std::size_t last = decimals.find_last_not_of('0');
  if (last == std::string::npos || last < 1) last = 1;  // at least cents
  decimals.resize(last + 1);
  return (negative ? "-$" : "$") + std::to_string(nano / kDollar) + "." + decimals;
}

}  // namespace tophand::ledger
