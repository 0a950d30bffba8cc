// Several gateways under one cap: a bank owns the cap and grants each gateway (a holder) a part of
// it, and a gateway spends only from what it was granted, through its own ledger. However messages
// are lost, repeated, late or out of order, whoever crashes and however long the two are parted:
//
//   what all holders may spend <= what the bank counts as theirs <= the cap
//
// Each pair of a holder and a window has two sums that only grow: `granted`, which only the bank
// changes, and `returned`, which only the holder changes. Messages carry the sums, never the steps,
// so a repeated one changes nothing and an old one is known by its `seq`. What a gateway holds when
// it dies stays its own until it is back; the bank never takes back what was not returned.
//
// Pure: no I/O, no clock. The caller makes an object's state durable before a message leaves that
// was made from it, and delivers the messages. One Bank is for one cap (the team's, or one
// agent's). A bank restored from an old backup might grant twice: its accounts want a ledger's
// durability.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "ledger/prices.h"

namespace tophand::ledger {

inline constexpr std::int64_t kGrantTtlMs = 60'000;
inline constexpr std::int64_t kGrantSkewMs = 300'000;  // between the clocks of a team's machines
inline constexpr std::size_t kHoldersMax = 64;         // of one window
inline constexpr std::int64_t kGrantWeeksKept = 8;     // after that nobody reports any more

// From a holder to the bank.
struct GrantReport {
  std::string holder;
  std::int64_t window_ms = 0;  // the week, by its start
  std::int64_t seq = 0;        // counts the holder's reports of this window, from 1
  NanoUsd returned = 0;        // of all that was granted, given back for good
  NanoUsd in_use = 0;          // settled + outstanding, by the holder's ledger
  NanoUsd needs = 0;  // the limit (granted - returned) that a waiting request needs; 0: none waits
  NanoUsd likes = 0;  // the limit that would spare it further reports for a while
};

// From the bank to a holder: the answer to a report, or unasked when others are short.
struct GrantReply {
  std::string holder;
  std::int64_t window_ms = 0;
  std::int64_t seq = 0;  // of the newest report that the bank has seen
  NanoUsd granted = 0;   // in all, since the window's begin
  bool recall = false;   // give back what is not in use
  std::int64_t ttl_ms = 0;
};

struct GrantAccount {
  NanoUsd granted = 0, returned = 0, in_use = 0;
  std::int64_t seq = 0;

  NanoUsd limit() const { return granted - returned; }
  // A request that cost more than its reservation may have taken a holder over its limit.
  NanoUsd held() const { return limit() > in_use ? limit() : in_use; }
};

class Bank {
 public:
  using Accounts = std::map<std::pair<std::int64_t, std::string>, GrantAccount>;

  explicit Bank(NanoUsd cap, Accounts accounts = {}) : cap_(cap), accounts_(std::move(accounts)) {}

  // The answer, first, and recalls to the other holders when the need could not be met: all of it
  // is granted or nothing, so that two that wait do not each sit on half of what is left. `now_ms`
  // is the bank's own wall clock: nothing is granted of a week that is over or not yet begun (by
  // more than kGrantSkewMs). kInvalid for a report that contradicts the account; kExhausted above
  // kHoldersMax; nothing has changed then.
  Result<std::vector<GrantReply>> receive(const GrantReport& report, std::int64_t now_ms);
  // A lower cap than what is held already grants nothing more and recalls what is not in use.
  void set_cap(NanoUsd cap) { cap_ = cap; }

  NanoUsd held(std::int64_t window_ms) const;  // in the holders' hands, spent or not
  NanoUsd cap() const { return cap_; }
  const Accounts& accounts() const { return accounts_; }  // what is to be kept

 private:
  Result<GrantAccount*> account_of(const GrantReport& report, std::int64_t now_ms);
  bool grant(const GrantReport& report, GrantAccount& account);
  GrantReply reply_to(const std::pair<std::int64_t, std::string>& key) const;

  NanoUsd cap_;
  Accounts accounts_;
};

class Holder {
 public:
  struct Window {  // what is to be kept
    NanoUsd granted = 0, returned = 0;
    std::int64_t seq = 0;
  };
  using Windows = std::map<std::int64_t, Window>;

  explicit Holder(std::string name, Windows windows = {})
      : name_(std::move(name)), windows_(std::move(windows)) {}

  // The cap for the gateway's own ledger in the week that starts at window_ms, and in no other:
  // settled + outstanding + reservation must not exceed it. 0 when the bank has not been heard for
  // the time to live of the grant, by `mono_ms`, and after a restart until it has been.
  NanoUsd limit(std::int64_t window_ms, std::int64_t mono_ms) const;

  struct Wants {
    NanoUsd in_use = 0;    // of the window, by the ledger
    NanoUsd short_of = 0;  // the reservation that waits; 0: none does
    NanoUsd ahead = 0;     // more than that, for what will come
  };
  GrantReport report(std::int64_t window_ms, Wants wants, std::int64_t mono_ms);
  NanoUsd unused(std::int64_t window_ms,
                 NanoUsd in_use) const;  // whether the grant is alive or not
  // Gives back all but `in_use`. Nothing may be admitted between reading `in_use` and this call.
  GrantReport give_back(std::int64_t window_ms, NanoUsd in_use, std::int64_t mono_ms);
  // kConflict when the bank has seen later reports than this holder remembers: its file is an old
  // copy, it does not know what it has returned, and may spend nothing more in that window.
  Result<> take(const GrantReply& reply);

  const Windows& windows() const { return windows_; }

 private:
  struct Hearing {  // forgotten in a restart
    std::int64_t asked_ms = 0, asked_seq = 0;
    std::int64_t usable_until_ms = 0;
    bool is_old_copy = false;
  };
  GrantReport numbered(std::int64_t window_ms, NanoUsd in_use, std::int64_t mono_ms);

  std::string name_;
  Windows windows_;
  std::map<std::int64_t, Hearing> heard_;
};

}  // namespace tophand::ledger
