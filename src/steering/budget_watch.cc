#include "steering/budget_watch.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/json.h"
#include "base/log.h"

namespace tophand::steering {
namespace {

constexpr std::int64_t kHourMs = 3'600'000, kFiveHoursMs = 5 * kHourMs;
constexpr std::int64_t kSaveEveryMs = 60'000;
constexpr std::int64_t kCountEveryMs = 600'000;  // what others book is found by counting anew
constexpr std::size_t kWindowsMax = 16;
constexpr std::string_view kWeek = "week", kFiveHours = "five_hours";
constexpr const char* kStateName = "pacing";
// Two reports of one reset differ by rounding; one that lies further off is another window's.
constexpr std::int64_t kSameResetMs = 300'000;
constexpr double kRewound = 0.05;       // less used than before by so much: begun anew
constexpr double kShareLearned = 0.02;  // of a window, before it tells what a share is worth

double dollars(ledger::NanoUsd amount) {
  return 1e-9 * static_cast<double>(amount);
}

// "5h", "7d": what the name promises; 0 where it promises nothing. The reset is what counts.
std::int64_t length_by_name(std::string_view name) {
  std::int64_t count = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), count);
  if (parsed.ec != std::errc() || count < 1 || count > 1000) return 0;
  const std::string_view unit(parsed.ptr, name.data() + name.size());
  return unit == "h" ? count * kHourMs : unit == "d" ? count * 24 * kHourMs : 0;
}

// The one that presses more; what either keeps back stays kept back.
policy::BudgetState tighter(const policy::BudgetState& a, const policy::BudgetState& b) {
  const bool first = std::pair(a.lambda, a.used) >= std::pair(b.lambda, b.used);
  policy::BudgetState out = first ? a : b;
  out.reserve_only = a.reserve_only || b.reserve_only;
  const bool a_refuses = a.reserve_only && a.reserve_refuses;
  const bool b_refuses = b.reserve_only && b.reserve_refuses;
  out.reserve_refuses = a_refuses || b_refuses || !out.reserve_only;
  const policy::BudgetState& keeps = a_refuses || (a.reserve_only && !b_refuses) ? a : b;
  if (out.reserve_only)
    out.reserve_window = keeps.reserve_window.empty() ? keeps.window : keeps.reserve_window;
  out.high_cover = std::min(a.high_cover, b.high_cover);
  return out;
}

int level_of(double used) {
  return used >= 0.95 ? 95 : used >= 0.8 ? 80 : used >= 0.5 ? 50 : 0;
}

// Clocks are set back, too: what was done in a future that did not come does not count.
bool is_due(std::int64_t last_ms, std::int64_t every_ms, std::int64_t now_ms) {
  return now_ms >= last_ms + every_ms || now_ms < last_ms;
}

Span span_of(const policy::BudgetWindow& window) {
  return {window.start_ms, window.end_ms};
}

}  // namespace

BudgetWatch::BudgetWatch(Deps deps, const config::BudgetConfig& config) : deps_(deps) {
  if (deps_.ledger == nullptr) return;
  load();
  configure(config);
}

BudgetWatch::~BudgetWatch() {
  if (deps_.ledger == nullptr) return;
  const std::lock_guard guard(mutex_);
  save(deps_.clock->wall_ms());
}

void BudgetWatch::configure(const config::BudgetConfig& config) {
  if (deps_.ledger == nullptr) return;
  const std::lock_guard guard(mutex_);
  config_ = config;
  if (!config_.week_usd) windows_.erase(windows_.lower_bound(kWeek), windows_.upper_bound(kWeek));
  if (!config_.five_hour_usd)
    windows_.erase(windows_.lower_bound(kFiveHours), windows_.upper_bound(kFiveHours));
  open_dollar_windows(deps_.clock->wall_ms());
}

void BudgetWatch::open_dollar_windows(std::int64_t now_ms) {
  const Span week = deps_.ledger->calendar().week(now_ms);
  if (config_.week_usd)
    open_dollars(kWeek, {.name = "week",
                         .start_ms = week.start_ms,
                         .end_ms = week.end_ms,
                         .cap = *config_.week_usd});
  if (!config_.five_hour_usd) return;
  const std::int64_t start_ms = now_ms - (now_ms - week.start_ms) % kFiveHoursMs;
  open_dollars(kFiveHours, {.name = "five hours",
                            .start_ms = start_ms,
                            .end_ms = std::min(start_ms + kFiveHoursMs, week.end_ms),
                            .cap = *config_.five_hour_usd,
                            .refuses = false});
}

// A window that begins, or that is counted anew, is counted by the ledger.
void BudgetWatch::open_dollars(std::string_view id, const policy::BudgetWindow& window) {
  Watched& watched = windows_.try_emplace(std::string(id)).first->second;
  const bool begins = watched.pacer.window().start_ms != window.start_ms;
  if (begins) watched.warned_percent = 0;
  watched.pacer.open(window);
  const std::int64_t now_ms = deps_.clock->wall_ms();
  if (!begins && !is_due(counted_ms_, kCountEveryMs, now_ms)) return;
  if (const auto money = deps_.ledger->spending(span_of(window)))
    watched.pacer.observe(now_ms, dollars(money->spent), demand_);
  else log::warn("budget.not_counted", {{"error", money.error().message}});
}

std::optional<policy::BudgetState> BudgetWatch::state_of(Watched& window, std::int64_t now_ms) {
  if (now_ms >= window.pacer.window().end_ms) return std::nullopt;
  window.pacer.observe(now_ms, window.pacer.spent(), demand_);
  const policy::BudgetState state = window.pacer.state(now_ms, demand_);
  return state.has_cap ? std::optional(state) : std::nullopt;
}

policy::BudgetState BudgetWatch::state() {
  if (deps_.ledger == nullptr) return {};
  const std::lock_guard guard(mutex_);
  const std::int64_t now_ms = deps_.clock->wall_ms();
  for (const std::string_view id : {kWeek, kFiveHours})
    if (const auto found = windows_.find(id);
        found != windows_.end() && !span_of(found->second.pacer.window()).holds(now_ms))
      open_dollar_windows(now_ms);
  std::optional<policy::BudgetState> worst;
  std::map<std::string, policy::BudgetState> by_key;
  for (auto& [id, window] : windows_) {
    const auto state = state_of(window, now_ms);
    if (!state) continue;
    if (window.in_dollars) {
      worst = worst ? tighter(*worst, *state) : *state;
    } else {
      const auto [at, is_new] = by_key.try_emplace(window.key, *state);
      if (!is_new) at->second = tighter(at->second, *state);
    }
  }
  if (by_key.empty()) return worst.value_or(policy::BudgetState());
  const auto easiest = std::ranges::min_element(by_key, {}, [](const auto& entry) {
    return std::pair(entry.second.reserve_only, entry.second.lambda);
  });
  return worst ? tighter(*worst, easiest->second) : easiest->second;
}

void BudgetWatch::asked(const policy::AskedCost& cost) {
  if (deps_.ledger == nullptr) return;
  const std::lock_guard guard(mutex_);
  demand_.asked(deps_.clock->wall_ms(), cost);
}

void BudgetWatch::ended(const ledger::AttemptStart& start, const ledger::AttemptEnd& end) {
  if (deps_.ledger == nullptr || start.backend != "claude") return;
  const std::lock_guard guard(mutex_);
  const std::int64_t now_ms = deps_.clock->wall_ms();
  const double cost = dollars(end.cost);
  for (auto& [id, window] : windows_) {
    if (window.in_dollars) {
      window.pacer.observe(now_ms, window.pacer.spent() + cost, demand_);
      warn(id, window);
    } else if (window.key == end.provider_key) {
      window.usd += cost;
    }
  }
  if (is_due(counted_ms_, kCountEveryMs, now_ms)) {
    open_dollar_windows(now_ms);
    counted_ms_ = now_ms;
  }
  if (is_due(saved_ms_, kSaveEveryMs, now_ms)) save(now_ms);
}

void BudgetWatch::limits_seen(const std::string& key,
                              const std::vector<policy::ProviderLimit>& limits) {
  if (deps_.ledger == nullptr || limits.empty()) return;
  const std::lock_guard guard(mutex_);
  for (const policy::ProviderLimit& limit : limits) see(key, limit, deps_.clock->wall_ms());
}

// The window that a report is about: the one known, or one that has begun since. Its length is
// never assumed, only guessed for the past by its name; what is left is what the reset says.
void BudgetWatch::see(const std::string& key, const policy::ProviderLimit& limit,
                      std::int64_t now_ms) {
  if (limit.reset_ms <= now_ms) return;
  const std::string id = "claude " + key + " " + limit.window;
  if (!windows_.contains(id) && windows_.size() >= kWindowsMax) return;
  Watched& window = windows_[id];
  const policy::BudgetWindow known = window.pacer.window();
  const double used = limit.status == "rejected" ? std::max(1.0, limit.used) : limit.used;
  const std::int64_t by_name_ms = length_by_name(limit.window);
  const bool passed = known.end_ms > 0 && now_ms >= known.end_ms - kSameResetMs &&
                      limit.reset_ms > known.end_ms + kSameResetMs;
  const bool rewound = known.end_ms > 0 && used < window.pacer.spent() - kRewound;
  policy::BudgetWindow next = known;
  if (known.end_ms == 0 || passed || rewound) {
    const std::int64_t guess_ms = by_name_ms > 0 ? limit.reset_ms - by_name_ms : now_ms;
    next.start_ms = rewound && !passed ? now_ms : std::min(now_ms, guess_ms);
    next.start_ms = std::max(next.start_ms, known.end_ms > 0 ? known.start_ms + 1 : 0);
    window.warned_percent = 0;
    window.usd = 0;
    window.share_first = used;
  }
  if (used - window.share_first >= kShareLearned && window.usd > 0)
    next.usd_unit = window.usd / (used - window.share_first);
  else if (known.end_ms == 0) next.usd_unit = 0;
  next.name = limit.window;
  next.end_ms = limit.reset_ms;
  next.cap = 1;
  window.in_dollars = false;
  window.key = key;
  window.status = limit.status;
  window.pacer.open(next);
  window.pacer.observe(now_ms, used, demand_);
  warn(id, window);
}

void BudgetWatch::warn(std::string_view id, Watched& window) {
  const double cap = window.pacer.window().cap;
  const int level = cap > 0 ? level_of(window.pacer.spent() / cap) : 0;
  if (level <= window.warned_percent) return;
  window.warned_percent = level;
  log::warn("budget.used",
            {{"window", id},
             {"percent", std::lround(100 * window.pacer.spent() / cap)},
             {"resets_in_s", (window.pacer.window().end_ms - deps_.clock->wall_ms()) / 1000}});
}

std::vector<WindowView> BudgetWatch::windows() {
  std::vector<WindowView> views;
  if (deps_.ledger == nullptr) return views;
  state();  // brings every window to now
  const std::lock_guard guard(mutex_);
  const std::int64_t now_ms = deps_.clock->wall_ms();
  for (auto& [id, window] : windows_) {
    const auto state = state_of(window, now_ms);
    if (!state) continue;
    const policy::BudgetWindow& bounds = window.pacer.window();
    WindowView view{.name = window.in_dollars ? id : bounds.name,
                    .key = window.key,
                    .in_dollars = window.in_dollars,
                    .start_ms = bounds.start_ms,
                    .end_ms = bounds.end_ms,
                    .cap = bounds.cap,
                    .spent = window.pacer.spent(),
                    .lambda = state->lambda,
                    .reserve_only = state->reserve_only,
                    .forecast = policy::forecast(window.pacer, now_ms, demand_),
                    .dry_in_hours = policy::hours_until_dry(window.pacer, now_ms),
                    .status = window.status,
                    .usd_unit = bounds.usd_unit};
    if (window.in_dollars)
      if (const auto money = deps_.ledger->spending(span_of(bounds)))
        view.outstanding = dollars(money->outstanding);
    views.push_back(std::move(view));
  }
  return views;
}

std::string BudgetWatch::note() {
  if (deps_.ledger == nullptr) return "";
  const std::lock_guard guard(mutex_);
  std::string out;
  for (const auto& [id, window] : windows_) {
    const policy::BudgetWindow& bounds = window.pacer.window();
    if (window.warned_percent < 80 || deps_.clock->wall_ms() >= bounds.end_ms) continue;
    const auto percent = std::lround(100 * window.pacer.spent() / bounds.cap);
    out += (out.empty() ? "" : ", ") + bounds.name + " " + std::to_string(percent) + "%";
  }
  return out;
}

void BudgetWatch::save(std::int64_t now_ms) {
  saved_ms_ = now_ms;
  if (!deps_.keeps_state) return;
  Json windows = Json::array();
  for (const auto& [id, window] : windows_)
    windows.push_back({{"id", id},
                       {"in_dollars", window.in_dollars},
                       {"key", window.key},
                       {"status", window.status},
                       {"warned_percent", window.warned_percent},
                       {"usd", window.usd},
                       {"share_first", window.share_first},
                       {"pacer", window.pacer.save()}});
  const std::string text = dump_json({{"demand", demand_.save()}, {"windows", std::move(windows)}});
  if (const auto kept = deps_.ledger->put_state(kStateName, text); !kept)
    log::warn("budget.not_saved", {{"error", kept.error().message}});
}

// What cannot be read is learned anew.
void BudgetWatch::load() {
  const auto text = deps_.ledger->get_state(kStateName);
  if (!text || text->empty()) return;
  const auto json = parse_json(*text, {.bytes_max = 1u << 20, .depth_max = 6});
  const Json* windows = json ? find_key(*json, "windows") : nullptr;
  auto demand = policy::Demand::load(json ? string_or(*json, "demand", "") : "");
  if (windows == nullptr || !windows->is_array() || !demand) {
    log::warn("budget.state_unreadable", {{"hint", "pacing begins anew"}});
    return;
  }
  demand_ = std::move(*demand);
  for (const Json& saved : *windows) {
    auto pacer = policy::Pacer::load(string_or(saved, "pacer", ""));
    const std::string id(string_or(saved, "id", ""));
    if (!pacer || id.empty() || windows_.size() >= kWindowsMax) continue;
    windows_[id] = {.pacer = std::move(*pacer),
                    .in_dollars = bool_or(saved, "in_dollars", true),
                    .key = std::string(string_or(saved, "key", "")),
                    .status = std::string(string_or(saved, "status", "")),
                    .warned_percent = static_cast<int>(int_or(saved, "warned_percent", 0)),
                    .usd = number_or(saved, "usd", 0),
                    .share_first = number_or(saved, "share_first", 0)};
  }
}

}  // namespace tophand::steering
