// What a decision costs with 50 rules, of which the last applies; the 99th of a hundred calls
// beside the mean (docs/performance-gateway.md).
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "policy/test_support.h"

namespace {

using namespace tophand::policy;

Settings settings_with_rules(int count) {
  Settings settings = settings_with_key();
  for (int i = 0; i < count; ++i) {
    Rule rule{.name = "rule " + std::to_string(i), .when = {}, .then = {}};
    rule.when.keys = {"key-of-nobody-*", "k1"};
    rule.when.agents = {"agent-*"};
    rule.when.models = {"claude-*-5-5"};
    rule.when.classes = {"git_commit", "doc_update"};
    rule.when.from_minute = 9 * 60;
    rule.when.until_minute = 17 * 60;
    // Decided by the last condition: the dearest way not to match.
    if (i + 1 < count) rule.when.budget_min = .9;
    rule.then.tier.at_most = Tier::kDefault;
    settings.rules.push_back(std::move(rule));
  }
  settings.rates["claude-opus-5-5"] = {4000, 20'000, 5000, 200};
  return settings;
}

Facts agent_request() {
  Facts facts = facts_for("claude-opus-5-5");
  facts.header_priority = "high";
  facts.header_class = "git_commit";
  facts.key_id = "k1";
  facts.agent = "agent-7";
  facts.has_tools = true;
  facts.prompt_bytes = 60'000;
  facts.time.minute = 12 * 60;
  facts.budget = {.has_cap = true, .lambda = 1, .used = .5, .mean_cost_usd = .05, .window = "week"};
  for (int i = 0; i < 20; ++i) facts.installed.push_back("model-" + std::to_string(i));
  return facts;
}

void BM_decide(benchmark::State& state) {
  const Settings settings = settings_with_rules(static_cast<int>(state.range(0)));
  Facts facts = agent_request();
  facts.explain = state.range(1) != 0;
  std::vector<double> took_us;
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    benchmark::DoNotOptimize(decide(facts, settings));
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
    took_us.push_back(took.count());
  }
  const auto at = took_us.begin() + static_cast<std::ptrdiff_t>(took_us.size() * 99 / 100);
  std::nth_element(took_us.begin(), at, took_us.end());
  state.counters["p99_us"] = *at;
}
BENCHMARK(BM_decide)->ArgNames({"rules", "explain"})->Args({0, 0})->Args({50, 0})->Args({50, 1});

}  // namespace
