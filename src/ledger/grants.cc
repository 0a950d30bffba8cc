#include "ledger/grants.h"

#include <algorithm>

namespace tophand::ledger {
namespace {

constexpr std::int64_t kWeekMs = 7 * 86'400'000LL;
constexpr NanoUsd kSumMax = 1'000'000'000'000'000'000;  // of a week; sums of two stay in 64 bits
constexpr NanoUsd kShareOfFree = 100;  // at least a hundredth of what is free, not crumbs

bool is_open(std::int64_t window_ms, std::int64_t now_ms) {
  return now_ms >= window_ms - kGrantSkewMs && now_ms < window_ms + kWeekMs + kGrantSkewMs;
}

bool is_sum(NanoUsd amount) {
  return amount >= 0 && amount <= kSumMax;
}

}  // namespace

Result<std::vector<GrantReply>> Bank::receive(const GrantReport& report, std::int64_t now_ms) {
  if (!is_sum(report.returned) || !is_sum(report.in_use) || !is_sum(report.needs) ||
      !is_sum(report.likes) || report.seq < 1)
    return fail(Code::kInvalid, "grants: a report with numbers out of range");
  TOPHAND_TRY(account, "grants", account_of(report, now_ms));
  const std::pair key{report.window_ms, report.holder};
  if (report.seq <= account->seq) return std::vector{reply_to(key)};
  if (report.returned < account->returned || report.returned > account->granted)
    return fail(Code::kInvalid, "grants: " + report.holder + " has returned what it has not got");
  account->seq = report.seq;
  account->returned = report.returned;
  account->in_use = report.in_use;
  const bool is_met = !is_open(report.window_ms, now_ms) || grant(report, *account);
  std::vector<GrantReply> replies{reply_to(key)};
  if (is_met) return replies;
  // Also those that had no more than they use when they were last heard: they may have it now.
  for (const auto& [other, theirs] : accounts_)
    if (other.first == report.window_ms && other != key && theirs.limit() > 0) {
      replies.push_back(reply_to(other));
      replies.back().recall = true;
    }
  return replies;
}

Result<GrantAccount*> Bank::account_of(const GrantReport& report, std::int64_t now_ms) {
  std::erase_if(accounts_, [&](const auto& each) {
    return each.first.first < now_ms - kGrantWeeksKept * kWeekMs;
  });
  const std::pair key{report.window_ms, report.holder};
  if (const auto found = accounts_.find(key); found != accounts_.end()) return &found->second;
  if (report.returned != 0 || !is_open(report.window_ms, now_ms))
    return fail(Code::kInvalid, "grants: nothing is known of this week of " + report.holder +
                                    ", and it is not now; is its clock right?");
  const auto holders = std::ranges::count_if(
      accounts_, [&](const auto& each) { return each.first.first == report.window_ms; });
  if (static_cast<std::size_t>(holders) >= kHoldersMax)
    return fail(Code::kExhausted, "grants: too many gateways share this budget");
  return &accounts_[key];
}

// False: the need is not met.
bool Bank::grant(const GrantReport& report, GrantAccount& account) {
  const NanoUsd limit = account.limit();
  if (report.needs <= limit) return true;
  const NanoUsd missing = report.needs - limit;
  const NanoUsd free = cap_ - held(report.window_ms);
  if (missing > free) return false;
  account.granted += std::clamp(std::max(report.likes - limit, free / kShareOfFree), missing, free);
  return true;
}

NanoUsd Bank::held(std::int64_t window_ms) const {
  NanoUsd sum = 0;
  for (const auto& [key, account] : accounts_)
    if (key.first == window_ms) sum += account.held();
  return sum;
}

GrantReply Bank::reply_to(const std::pair<std::int64_t, std::string>& key) const {
  const GrantAccount& account = accounts_.at(key);
  return {.holder = key.second,
          .window_ms = key.first,
          .seq = account.seq,
          .granted = account.granted,
          .recall = held(key.first) > cap_ && account.limit() > account.in_use,
          .ttl_ms = kGrantTtlMs};
}

NanoUsd Holder::limit(std::int64_t window_ms, std::int64_t mono_ms) const {
  const auto window = windows_.find(window_ms);
  const auto heard = heard_.find(window_ms);
  if (window == windows_.end() || heard == heard_.end()) return 0;
  if (heard->second.is_old_copy || mono_ms >= heard->second.usable_until_ms) return 0;
  return window->second.granted - window->second.returned;
}

GrantReport Holder::numbered(std::int64_t window_ms, NanoUsd in_use, std::int64_t mono_ms) {
  Window& window = windows_[window_ms];
  ++window.seq;
  heard_[window_ms].asked_ms = mono_ms;
  heard_[window_ms].asked_seq = window.seq;
  return {.holder = name_,
          .window_ms = window_ms,
          .seq = window.seq,
          .returned = window.returned,
          .in_use = in_use};
}

GrantReport Holder::report(std::int64_t window_ms, Wants wants, std::int64_t mono_ms) {
  GrantReport out = numbered(window_ms, wants.in_use, mono_ms);
  if (wants.short_of == 0) return out;
  out.needs = wants.in_use + wants.short_of;
  out.likes = out.needs + wants.ahead;
  return out;
}

NanoUsd Holder::unused(std::int64_t window_ms, NanoUsd in_use) const {
  const auto window = windows_.find(window_ms);
  if (window == windows_.end()) return 0;
  return std::max<NanoUsd>(0, window->second.granted - window->second.returned - in_use);
}

GrantReport Holder::give_back(std::int64_t window_ms, NanoUsd in_use, std::int64_t mono_ms) {
  windows_[window_ms].returned += unused(window_ms, in_use);
  return numbered(window_ms, in_use, mono_ms);
}

Result<> Holder::take(const GrantReply& reply) {
  Window& window = windows_[reply.window_ms];
  Hearing& heard = heard_[reply.window_ms];
  if (reply.seq > window.seq) {
    heard.is_old_copy = true;
    return fail(Code::kConflict, "grants: the bank knows report " + std::to_string(reply.seq) +
                                     " of this gateway, which remembers " +
                                     std::to_string(window.seq) +
                                     ": its ledger is an old copy; give the gateway a new name");
  }
  window.granted = std::max(window.granted, reply.granted);
  // Counted from when it was asked for, and only if it was asked for in this life.
  if (heard.asked_seq != 0 && reply.seq == heard.asked_seq)
    heard.usable_until_ms = std::max(heard.usable_until_ms, heard.asked_ms + reply.ttl_ms);
  return {};
}

}  // namespace tophand::ledger
