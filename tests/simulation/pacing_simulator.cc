// Prints the tables of docs/budget.md: every policy at every load on the held-out clients, and the
// shock. Usage: pacing_simulator [--seed N] [--tuning] [--first-week 0|1] [--forecast]
// --forecast: only how often the forecast's band held the truth.
// --tuning: on the other half of the clients, on which the constants were chosen.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "pacing_replay.h"

namespace {

using namespace tophand::simulation;

struct Options {
  std::uint64_t seed = 1;
  bool tuning = false, forecast_only = false;
  std::size_t first_week = 1;
};

void print_row(const PolicyRow& row, const Summary& sum) {
  char dry[16] = "-";
  if (sum.dry_day) std::snprintf(dry, sizeof dry, "%.1f", *sum.dry_day);
  std::printf("| %s | %.3f | %.0f %% | %.0f %% | %s | %.1f %% | %.2f | %.1f %% |\n",
              row.name.data(), sum.quality, 100 * sum.used_48h, 100 * sum.used, dry,
              100 * sum.dry_before_day_6, sum.hard_success_last_2d, 100 * sum.hour_spend_max);
}

void print_load(const std::vector<ClientTrace>& traces, double load, const Options& options) {
  const std::vector<Replay> replays = draw_all(traces, {.load = load, .seed = options.seed});
  std::printf(
      "\n### Demand %.3g times the budget, %zu weeks\n\n"
      "| policy | quality | used at 48 h | used | dry on day (median) | dry before day 6 | "
      "hard tasks, last 2 days | dearest hour |\n|---|---|---|---|---|---|---|---|\n",
      load, traces.size() * (2 - options.first_week));
  for (const PolicyRow& row : all_policies()) print_row(row, run(row, replays, options.first_week));
  std::printf("| hindsight | %.3f | | | | | | |\n", run_hindsight(replays, options.first_week));
}

void print_coverage(const std::vector<ClientTrace>& traces, const Options& options) {
  std::printf(
      "\n### What the forecast's band held, %zu weeks\n\n"
      "| demand | at hour | shown | held | below it | above it | width | off |\n"
      "|---|---|---|---|---|---|---|---|\n",
      traces.size() * (2 - options.first_week));
  for (const double load : {0.5, 1.0, 1.575, 2.5}) {
    const std::vector<Replay> replays = draw_all(traces, {.load = load, .seed = options.seed});
    const auto held =
        coverage(outcomes_of(find_policy("cascade + dual + ladder"), replays, options.first_week));
    for (std::size_t i = 0; i < held.size(); ++i) {
      const auto share = [&](std::size_t n) {
        return 100 * static_cast<double>(n) /
               static_cast<double>(std::max<std::size_t>(1, held[i].shown));
      };
      std::printf("| %.3g | %lld | %zu | %.0f %% | %.0f %% | %.0f %% | %.0f %% | %.0f %% |\n", load,
                  static_cast<long long>(kForecastHours[i]), held[i].shown, share(held[i].inside),
                  share(held[i].below), share(held[i].above), 100 * held[i].width,
                  100 * held[i].off);
    }
  }
}

void print_shock(const std::vector<ClientTrace>& traces, double high_share,
                 const Options& options) {
  const std::vector<Replay> replays =
      draw_all(traces, {.load = 1.575,
                        .shape = {.high_share_of_hard = high_share, .shock = 3},
                        .seed = options.seed});
  std::printf(
      "\n### A day of threefold arrivals; %.0f %% of the hard tasks are of high priority\n\n"
      "| policy | quality | high-priority requests | of them refused | in weeks |\n"
      "|---|---|---|---|---|\n",
      100 * high_share);
  for (const PolicyRow& row : all_policies()) {
    const Summary sum = run(row, replays, 1);
    std::printf("| %s | %.3f | %zu | %zu | %zu of %zu |\n", row.name.data(), sum.quality, sum.high,
                sum.high_refused, sum.weeks_refused, sum.weeks);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--tuning") options.tuning = true;
    else if (flag == "--forecast") options.forecast_only = true;
    else if (flag == "--seed" && i + 1 < argc) options.seed = std::strtoull(argv[++i], nullptr, 10);
    else if (flag == "--first-week" && i + 1 < argc)
      options.first_week = argv[++i][0] == '0' ? 0 : 1;
    else
      return std::fprintf(stderr,
                          "usage: pacing_simulator [--seed N] [--tuning] "
                          "[--first-week 0|1] [--forecast]\n"),
             2;
  }
  const auto all = read_traces(TOPHAND_SOURCE_DIR "/tests/simulation/client_weeks.csv");
  if (!all) return std::fprintf(stderr, "%s\n", all.error().message.c_str()), 1;
  std::vector<ClientTrace> traces;
  for (std::size_t i = options.tuning ? 0 : 1; i < all->size(); i += 2) traces.push_back((*all)[i]);
  std::printf("seed %llu, %s half of the clients\n", static_cast<unsigned long long>(options.seed),
              options.tuning ? "tuning" : "held-out");
  print_coverage(traces, options);
  if (options.forecast_only) return 0;
  for (const double load : {1.0, 1.575, 2.5, 4.0}) print_load(traces, load, options);
  for (const double share : {1.0 / 3, 1.0}) print_shock(traces, share, options);
  return 0;
}
