#include "steering/savings.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>
#include <utility>

namespace tophand::steering {
namespace {

using ledger::NanoUsd;
using ledger::Row;

// How long a prefix stays in the cache after its last use (docs.claude.com, "Prompt caching").
constexpr std::int64_t kCacheLifeMs = 300'000;
constexpr std::size_t kDetourMax = 1000;  // local answers in a row that are looked at
constexpr std::int64_t kPageRows = 2000;

bool matches(const std::string& wanted, const std::string& found) {
  return wanted.empty() || wanted == found;
}

std::int64_t prompt_of(const ledger::TokenCounts& tokens) {
  return tokens.input + tokens.cache_read + tokens.cache_write_5m + tokens.cache_write_1h;
}

}  // namespace

std::int64_t SavingsSums::saved_permille(NanoUsd counterfactual) const {
  const auto net = static_cast<double>(saved(counterfactual));
  const double without = net + static_cast<double>(spent) + static_cast<double>(energy);
  return without > 0 ? std::llround(net / without * 1000) : 0;
}

// One request, as its rows come in.
struct SavingsFold::Request {
  bool wanted = false;  // by what its first row says; the model decides at the end
  bool low = false, first_is_local = false, named_local = false, local_tried = false;
  bool held_out = false, has_answer = false;
  std::string task_class, model_asked;
  std::int64_t attempt = 0, row_id = 0;  // of the last answer
  std::string model, state, outcome;
  bool claude = false, has_basis = false;
  NanoUsd floor = 0, expected = 0, ceiling = 0;
  NanoUsd answer_energy = 0;
  SavingsSums money;  // what every one of its rows adds
};

// The cache of one conversation, as far as it can be seen from outside.
struct SavingsFold::Session {
  struct Prefix {
    std::int64_t used_ms = 0, tokens = 0;
    std::vector<std::int64_t> detour_ms;  // local answers since
  };
  std::map<std::string, Prefix> by_model;
};

struct SavingsFold::State {
  const ledger::PriceBook& prices;
  const SavingsFilter filter;
  const LabelOf label_of;
  std::vector<Request> requests;
  std::unordered_map<std::string, std::size_t> index;
  std::unordered_map<std::string, Session> sessions;
  ledger::Habits habits;

  Request& request_of(const Row& row);
  NanoUsd cache_damage(const Row& row);
  void add_answer(Request& request, const Row& row);
  void count(const Request& request, SavingsReport& report) const;
  void compare(const Request& request, HoldOut& hold_out) const;
};

SavingsFold::SavingsFold(const ledger::PriceBook& prices, SavingsFilter filter, LabelOf label_of)
    : state_(std::make_unique<State>(
          State{prices, std::move(filter), std::move(label_of), {}, {}, {}, {}})) {}
SavingsFold::~SavingsFold() = default;

SavingsFold::Request& SavingsFold::State::request_of(const Row& row) {
  const auto [at, is_new] = index.try_emplace(row.request_id, requests.size());
  if (!is_new) return requests[at->second];
  Request request;
  request.wanted = matches(filter.key_id, row.key_id) && matches(filter.agent, row.agent) &&
                   matches(filter.task_class, row.task_class);
  request.task_class = row.task_class;
  request.model_asked = row.model_asked;
  request.low = row.priority == "low";
  requests.push_back(std::move(request));
  return requests.back();
}

// What had to be written to the cache again because a local detour let it lapse: the row comes too
// late for the prefix, and with the detour's answers in between the prefix would have been kept.
NanoUsd SavingsFold::State::cache_damage(const Row& row) {
  if (row.session.empty() || row.purpose != "answer" || row.outcome != "done") return 0;
  Session& session = sessions[row.session];
  if (row.backend != "claude") {
    for (auto& [model, prefix] : session.by_model)
      if (prefix.detour_ms.size() < kDetourMax) prefix.detour_ms.push_back(row.started_ms);
    return 0;
  }
  Session::Prefix& prefix = session.by_model[row.model];
  const std::int64_t rewritten = std::min(
      row.tokens.cache_write_5m, std::max<std::int64_t>(0, prefix.tokens - row.tokens.cache_read));
  bool kept = !prefix.detour_ms.empty();
  std::int64_t last_ms = prefix.used_ms;
  for (const std::int64_t at_ms : prefix.detour_ms) {
    kept = kept && at_ms - last_ms <= kCacheLifeMs;
    last_ms = at_ms;
  }
  kept = kept && row.started_ms - last_ms <= kCacheLifeMs;
  const bool lapsed = row.started_ms - prefix.used_ms > kCacheLifeMs;
  prefix = {row.started_ms, row.tokens.cache_read + row.tokens.cache_write_5m, {}};
  if (!kept || !lapsed || rewritten <= 0) return 0;
  const auto written = prices.cost(row.model, {.cache_write_5m = rewritten});
  const auto read = prices.cost(row.model, {.cache_read = rewritten});
  return written && read ? std::max<NanoUsd>(0, *written - *read) : 0;
}

void SavingsFold::State::add_answer(Request& request, const Row& row) {
  const bool claude = row.backend == "claude";
  if (!request.has_answer) {
    request.first_is_local = !claude;
    request.named_local = row.model_asked == "local" || row.model_asked == row.model;
  }
  request.has_answer = true;
  request.held_out = request.held_out || row.arm == "holdout";
  request.local_tried = request.local_tried || !claude;
  if (row.attempt < request.attempt) return;
  request.attempt = row.attempt;
  request.row_id = row.id;
  request.model = row.model;
  request.state = row.state;
  request.outcome = row.outcome;
  request.claude = claude;
  request.has_basis = ledger::basis_value(row.counterfactual_basis, "prompt").has_value();
  request.floor = row.counterfactual_floor;
  request.expected = row.counterfactual;
  request.ceiling = row.counterfactual_ceiling;
  request.answer_energy = row.energy;
}

void SavingsFold::add(const Row& row) {
  State& state = *state_;
  Request& request = state.request_of(row);
  SavingsSums& money = request.money;
  const bool claude = row.backend == "claude";
  (claude ? money.claude_input_tokens : money.local_input_tokens) += prompt_of(row.tokens);
  (claude ? money.claude_output_tokens : money.local_output_tokens) += row.tokens.output;
  (row.state == "reserved" ? money.outstanding : money.spent) += row.cost;
  if (row.purpose != "answer" && row.state != "reserved") money.router += row.cost;
  money.adjusted += row.adjusted;
  money.energy += row.energy;
  money.cache_damage += state.cache_damage(row);
  if (row.purpose == "answer") state.add_answer(request, row);
  if (request.wanted) state.habits.observe(row);
}

namespace {

void add_sums(SavingsSums& to, const SavingsSums& from) {
  for (const auto member : {&SavingsSums::requests,
                            &SavingsSums::failed,
                            &SavingsSums::running,
                            &SavingsSums::local,
                            &SavingsSums::claude,
                            &SavingsSums::escalated,
                            &SavingsSums::redone,
                            &SavingsSums::local_input_tokens,
                            &SavingsSums::local_output_tokens,
                            &SavingsSums::claude_input_tokens,
                            &SavingsSums::claude_output_tokens,
                            &SavingsSums::spent,
                            &SavingsSums::router,
                            &SavingsSums::adjusted,
                            &SavingsSums::outstanding,
                            &SavingsSums::floor,
                            &SavingsSums::expected,
                            &SavingsSums::ceiling,
                            &SavingsSums::energy,
                            &SavingsSums::energy_lost,
                            &SavingsSums::cache_damage})
    to.*member += from.*member;
}

}  // namespace

void SavingsFold::State::count(const Request& request, SavingsReport& report) const {
  SavingsSums sums = request.money;
  const bool done = request.state != "reserved" && request.outcome == "done";
  const bool local = request.has_answer && done && !request.claude;
  if (request.has_answer) {
    sums.requests = 1;
    sums.running = request.state == "reserved" ? 1 : 0;
    sums.failed = request.state != "reserved" && !done ? 1 : 0;
    sums.local = local ? 1 : 0;
    sums.claude = done && request.claude ? 1 : 0;
    sums.escalated = sums.claude > 0 && request.local_tried ? 1 : 0;
  }
  if (local && label_of && label_of(request.row_id) == false) {
    sums.redone = 1;
  } else if (local) {
    sums.floor = request.floor;
    sums.expected = request.expected;
    sums.ceiling = request.ceiling;
    if (!request.has_basis) ++report.without_basis;
  }
  sums.energy_lost = sums.energy - (sums.local > sums.redone ? request.answer_energy : 0);
  add_sums(report.all, sums);
  add_sums(report.by_class[request.task_class], sums);
  if (!request.model.empty()) add_sums(report.by_model[request.model], sums);
  if (request.low) add_sums(report.routine, sums);
}

// Local was going to answer it, and it might have gone to Claude: what was asked of a local model
// by name might not.
void SavingsFold::State::compare(const Request& request, HoldOut& hold_out) const {
  if (!request.has_answer || request.state == "reserved" || !request.low) return;
  if (!request.held_out && (!request.first_is_local || request.named_local)) return;
  const auto cost = static_cast<double>(request.money.spent + request.money.energy);
  (request.held_out ? hold_out.held_out : hold_out.treated).add(cost);
  const std::optional<bool> label = label_of ? label_of(request.row_id) : std::nullopt;
  if (!label) return;
  policy::Labels& labels = request.held_out ? hold_out.held_out_labels : hold_out.treated_labels;
  ++labels.n;
  if (*label) ++labels.good;
}

SavingsReport SavingsFold::report() {
  SavingsReport report;
  const std::string& model = state_->filter.model;
  for (const Request& request : state_->requests) {
    if (!request.wanted) continue;
    if (!matches(model, request.model) && !matches(model, request.model_asked)) continue;
    state_->count(request, report);
    state_->compare(request, report.hold_out);
  }
  report.estimate = state_->habits.error();
  report.estimate_by_class = state_->habits.errors_by_class();
  return report;
}

namespace {

SavingsReport finished(SavingsReport report, const ledger::PriceBook& prices,
                       const SavingsQuery& query) {
  report.since_ms = query.since_ms;
  report.until_ms = query.until_ms;
  report.counterfactual_model = query.counterfactual_model;
  report.price_version = prices.version();
  report.energy_known = query.energy_known;
  return report;
}

struct KnownLabel {
  int strength = 0;
  bool good = false;
};

// From the weakest; the gate's own word is none, as only local answers have it.
int strength_of(const std::string& source) {
  constexpr std::array<std::string_view, 4> kSources{"shadow", "audit_judge", "downstream",
                                                     "human"};
  const auto at = std::ranges::find(kSources, source);
  return at == kSources.end() ? 0 : static_cast<int>(at - kSources.begin()) + 1;
}

// The strongest label of each row, of equal ones the latest.
Result<std::unordered_map<std::int64_t, KnownLabel>> labels_of(ledger::Ledger& ledger) {
  std::unordered_map<std::int64_t, KnownLabel> known;
  for (std::int64_t after = 0;;) {
    TOPHAND_TRY(page, "labels", ledger.labels_after(after, kPageRows));
    if (page.empty()) return known;
    for (const ledger::Label& label : page) {
      const int strength = strength_of(label.source);
      if (strength == 0) continue;
      KnownLabel& best = known[label.row_id];
      if (strength >= best.strength) best = {strength, label.verdict == "good"};
    }
    after = page.back().id;
  }
}

}  // namespace

Result<SavingsReport> savings_of(ledger::Ledger& ledger, const ledger::PriceBook& prices,
                                 const SavingsQuery& query) {
  TOPHAND_TRY(labels, "savings", labels_of(ledger));
  SavingsFold fold(prices, query.filter, [&](std::int64_t row_id) -> std::optional<bool> {
    const auto found = labels.find(row_id);
    if (found == labels.end()) return std::nullopt;
    return found->second.good;
  });
  for (std::int64_t after = 0;;) {
    TOPHAND_TRY(page, "savings", ledger.rows_after(after, query.since_ms, kPageRows));
    if (page.empty()) break;
    for (const Row& row : page) fold.add(row);
    after = page.back().id;
  }
  return finished(fold.report(), prices, query);
}

}  // namespace tophand::steering
