#include "steering/replay.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>
#include <utility>

#include "base/ascii.h"
#include "policy/plan.h"
#include "policy/way_up.h"
#include "steering/local_time.h"
#include "steering/replay_budget.h"
#include "steering/settings.h"

namespace tophand::steering {
namespace {

// Measured over code, prose and JSON: Claude's newest tokenizers make 1.53 tokens of one of Qwen's
// (1.60 of Llama 3's), and answers are as long in words.
constexpr double kClaudePerLocalToken = 1.53;

// The rows of one request.
struct Past {
  const ledger::Row* answer = nullptr;  // the last attempt
  ledger::NanoUsd cost = 0;             // of all of them
  bool local_failed = false;            // a local model was asked first, and could not
};

bool is_claude(const ledger::Row& row) {
  return row.backend == "claude";
}

std::vector<std::string> split_reasons(const std::string& text) {
  constexpr std::string_view kBetween = "; ";
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(kBetween, at), text.size());
    out.push_back(text.substr(at, end - at));
    at = end + kBetween.size();
  }
  return out;
}

// "" when `reason` does not begin so; else what follows.
std::string_view after(std::string_view reason, std::string_view beginning) {
  return reason.starts_with(beginning) ? reason.substr(beginning.size()) : std::string_view();
}

// What a row's reasons tell of the request as it came. Owns what the facts look at.
class Told {
 public:
  Told(const ledger::Row& row, const std::optional<Calendar>& calendar)
      : reasons_(split_reasons(row.reason)) {
    if (reasons_.empty()) facts_.header_priority = row.priority;  // a trace that gives no reasons
    for (const std::string& reason : reasons_) read(reason);
    facts_.model_asked = row.model_asked;
    facts_.key_id = row.key_id;
    facts_.agent = row.agent;
    facts_.persona = row.persona;
    if (row.class_source == "inferred")
      facts_.inferred = {.task_class = row.task_class, .confidence = 1, .why = "as it was"};
    else if (row.class_source != "rule") facts_.body_class = row.task_class;
    facts_.prompt_bytes =
        std::llround(static_cast<double>(claude_prompt_tokens(row)) * policy::kBytesPerToken);
    facts_.time = local_time(calendar, row.started_ms);
  }
  const policy::Facts& facts() const { return facts_; }
  policy::Facts& facts() { return facts_; }

  static std::int64_t claude_prompt_tokens(const ledger::Row& row) {
    const std::int64_t counted = row.tokens.input + row.tokens.cache_read +
                                 row.tokens.cache_write_5m + row.tokens.cache_write_1h;
    if (is_claude(row)) return counted;
    return row.estimated_tokens > 0
               ? row.estimated_tokens
               : std::llround(static_cast<double>(counted) * kClaudePerLocalToken);
  }

 private:
  void read(const std::string& reason) {
    const auto take = [&](std::string_view beginning, std::string_view& into) {
      if (const auto found = after(reason, beginning); !found.empty()) into = found;
    };
    take("header x-tophand-priority: ", facts_.header_priority);
    take("header x-priority: ", facts_.header_x_priority);
    take("header x-llmman-route: ", facts_.header_route);
    take("metadata.priority: ", facts_.body_priority);
    take("claude code's request class: ", facts_.header_client_class);
    if (reason.starts_with("claude code's own call: ")) facts_.header_client_class = "auxiliary";
    if (reason.starts_with("local-only (header ") || reason.starts_with("local-only (metadata."))
      facts_.header_egress = "local-only";
    if (const auto what = after(reason, "local models cannot take: "); !what.empty())
      facts_.unsupported = {std::string(what.substr(0, what.rfind(", so Claude")))};
  }

  std::vector<std::string> reasons_;
  policy::Facts facts_;
};

// The local models that there were, as far as the rows tell.
void add_local_models(const std::vector<ledger::Row>& rows, const config::Config& config,
                      policy::Facts& facts) {
  std::set<std::string> own{config.models.local};
  std::set<std::pair<std::string, std::string>> others;
  for (const ledger::Row& row : rows) {
    if (row.backend == "local") own.insert(row.model);
    else if (!is_claude(row)) others.emplace(row.backend, row.model);
  }
  facts.installed.assign(own.begin(), own.end());
  facts.local_default = config.models.local;
  for (const config::BackendConfig& backend : config.backends)
    for (const auto& [name, model] : others)
      if (name == backend.name)
        facts.offers.push_back({.backend = name,
                                .model = model,
                                .stands_for_local = model == backend.local_model,
                                .outside = !config::is_in_house(backend)});
}

std::string shown(const std::string& model, std::string_view tier) {
  return model + " (" + std::string(tier) + ")";
}

std::string tier_of_row(const ledger::Row& row, const policy::TierModels& tiers) {
  if (!row.tier.empty()) return row.tier;
  return std::string(
      policy::tier_name(is_claude(row) ? policy::tier_of(row.model, tiers) : policy::Tier::kLocal));
}

// The request's tokens as that Claude model would have counted them, at the terms it was answered
// on (a batch, in the US), or those of the configuration.
ledger::NanoUsd price_of(const ledger::Row& row, const std::string& model,
                         const ledger::PriceBook& prices, ledger::Terms of_workspace) {
  ledger::TokenCounts tokens = row.tokens;
  const ledger::Terms terms = is_claude(row) ? row.terms : of_workspace;
  if (!is_claude(row)) {
    tokens = {};
    tokens.input = Told::claude_prompt_tokens(row);
    tokens.output = std::llround(static_cast<double>(row.tokens.output) * kClaudePerLocalToken);
  }
  return prices.cost(model, tokens, terms).value_or(0);
}

std::vector<Past> requests_of(const std::vector<ledger::Row>& rows,
                              const ledger::PriceBook& prices) {
  std::vector<Past> out;
  std::map<std::string_view, std::size_t> places;
  for (const ledger::Row& row : rows) {
    if (!row.purpose.empty() && row.purpose != "answer") continue;
    if (row.dialect.ends_with("_embeddings")) continue;
    const auto [place, fresh] = places.emplace(row.request_id, out.size());
    if (fresh) out.emplace_back();
    Past& past = out[place->second];
    if (past.answer != nullptr && !is_claude(*past.answer)) past.local_failed = true;
    past.answer = &row;
    if (row.cost != kCostNotSaid) past.cost += row.cost;
    else if (is_claude(row)) past.cost += price_of(row, row.model, prices, row.terms);
  }
  return out;
}

struct Ground {  // what every request of a replay stands on
  const policy::Settings& settings;
  const ledger::PriceBook& prices;
  ledger::Terms of_workspace = {};
  ReplayBudget budget;
};

// What another policy would have asked, given what it had spent by then.
policy::Target target_of(const policy::Decision& decision, const Past& past,
                         const policy::BudgetState& budget) {
  const policy::Target& first = decision.targets.front();
  // What a local model could not do then it would not have done now.
  if (first.place != policy::Place::kLocal || !past.local_failed || !is_claude(*past.answer))
    return first;
  return policy::way_up(decision, budget).target.value_or(first);
}

void refuse(Replayed& out, std::string why) {
  out.to = "refused";
  out.refused = std::move(why);
  out.moved = true;
}

Replayed replay_one(const Past& past, policy::Facts& facts, Ground& ground) {
  const ledger::Row& row = *past.answer;
  Replayed out;
  out.request_id = row.request_id;
  out.started_ms = row.started_ms;
  out.from = shown(row.model, tier_of_row(row, ground.settings.tiers));
  out.cost_was = past.cost;
  facts.budget = ground.budget.at(row.started_ms);
  const auto decision = policy::decide(facts, ground.settings);
  if (!decision) {
    refuse(out, decision.error().message);
    return out;
  }
  if (decision->asked_usd > 0)
    ground.budget.asked(row.started_ms,
                        {.usd = decision->asked_usd,
                         .high_priority = decision->priority == policy::Priority::kHigh});
  out.reason = joined(decision->reasons, "; ");
  const policy::Target target = target_of(*decision, past, facts.budget);
  out.to = shown(target.model, policy::tier_name(target.tier));
  const bool same_place = is_claude(row) == (target.place == policy::Place::kClaude);
  out.moved = !same_place || target.model != row.model;
  if (!out.moved) {
    out.cost_is = out.cost_was;
  } else if (target.place == policy::Place::kClaude) {
    out.cost_is = price_of(row, target.model, ground.prices, ground.of_workspace);
    out.estimated = !is_claude(row);
  }
  if (!ground.budget.has_room(out.cost_is)) {
    out.cost_is = 0;
    out.estimated = false;
    refuse(out, "the week's budget would have been spent");
  }
  ground.budget.spend(out.cost_is);
  return out;
}

void add(const Replayed& one, Replay& sum) {
  sum.cost_was += one.cost_was;
  sum.cost_is += one.cost_is;
  if (one.estimated) sum.estimated += one.cost_is;
  sum.refused += one.refused.empty() ? 0 : 1;
  if (one.moved) {
    ++sum.moved;
    Replay::Move& move = sum.moves[one.from + " -> " + one.to];
    ++move.count;
    move.cost_was += one.cost_was;
    move.cost_is += one.cost_is;
  }
  if (sum.requests.empty()) sum.first_ms = one.started_ms;
  sum.last_ms = one.started_ms;
}

}  // namespace

Replay replay(const std::vector<ledger::Row>& rows, const config::Config& config,
              const ledger::PriceBook& prices,
              const std::map<std::string, std::string>& key_names) {
  const policy::Settings settings = policy_settings(config, true, &prices);
  const std::optional<Calendar> calendar = rule_calendar(config.budget);
  policy::Facts models;
  add_local_models(rows, config, models);
  Ground ground{
      settings, prices, {.us_only = config.claude.workspace_us_only}, ReplayBudget(config.budget)};
  Replay sum;
  for (const Past& past : requests_of(rows, prices)) {
    Told told(*past.answer, calendar);
    told.facts().installed = models.installed;
    told.facts().local_default = models.local_default;
    told.facts().offers = models.offers;
    if (const auto name = key_names.find(past.answer->key_id); name != key_names.end())
      told.facts().key_name = name->second;
    Replayed one = replay_one(past, told.facts(), ground);
    add(one, sum);
    sum.requests.push_back(std::move(one));
  }
  return sum;
}

}  // namespace tophand::steering
