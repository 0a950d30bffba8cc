#include "pacing_world.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <numbers>
#include <numeric>
#include <sstream>
#include <utility>

namespace tophand::simulation {
namespace {

constexpr double kCostSigma = 0.7;  // of a task's log cost around its class
constexpr double kNoiseSigma = 0.15;
constexpr std::int64_t kShockFrom = 72, kShockTo = 96;  // hours

double normal(SplitMix64& random) {  // Box and Muller
  const double radius = std::sqrt(-2 * std::log(1 - random.uniform()));
  return radius * std::cos(2 * std::numbers::pi * random.uniform());
}

// Knuth's multiplication for small means; the normal approximation above.
std::size_t poisson(double mean, SplitMix64& random) {
  if (mean > 50)
    return static_cast<std::size_t>(
        std::max(0.0, std::round(mean + std::sqrt(mean) * normal(random))));
  std::size_t count = 0;
  for (double product = random.uniform(); product > std::exp(-mean); product *= random.uniform())
    ++count;
  return count;
}

std::size_t draw_class(double at) {
  for (std::size_t cls = 0; cls + 1 < kClasses.size(); ++cls) {
    if (at < kClasses[cls].share) return cls;
    at -= kClasses[cls].share;
  }
  return kClasses.size() - 1;
}

Task draw_task(std::int64_t hour, const WeekShape& shape, SplitMix64& random) {
  Task task;
  task.at_ms = static_cast<std::int64_t>((static_cast<double>(hour) + random.uniform()) *
                                         static_cast<double>(kHourMs));
  task.cls = draw_class(random.uniform());
  const TaskClass& cls = kClasses[task.cls];
  task.cost = cls.mean_cost * std::exp(kCostSigma * normal(random) - kCostSigma * kCostSigma / 2);
  task.high = random.uniform() < shape.high_share_of_hard && task.cls == kClasses.size() - 1;
  task.local_right = random.uniform() < cls.p_local;
  task.verifier_passes = random.uniform() < (task.local_right ? kVerifierTpr : kVerifierFpr);
  task.noise = kNoiseSigma * normal(random);
  task.luck = random.uniform();
  return task;
}

}  // namespace

Result<std::vector<ClientTrace>> read_traces(const std::string& path) {
  std::ifstream file(path);
  if (!file) return fail(Code::kIo, path + ": cannot be read");
  std::vector<ClientTrace> traces;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty() || line.front() == '#') continue;
    std::istringstream cells(line);
    ClientTrace trace;
    std::getline(cells, trace.name, ',');
    for (std::string cell; std::getline(cells, cell, ',');)
      trace.hours.push_back(std::strtod(cell.c_str(), nullptr));
    if (trace.hours.size() != 2 * kWeekHours)
      return fail(Code::kCorrupt,
                  path + " line " + std::to_string(number) + ": expected 336 hours");
    traces.push_back(std::move(trace));
  }
  return traces;
}

std::vector<Task> draw_week(const double* hours, const WeekShape& shape, SplitMix64& random) {
  const double total = std::accumulate(hours, hours + kWeekHours, 0.0);
  std::vector<Task> week;
  for (std::int64_t hour = 0; hour < kWeekHours; ++hour) {
    const double times = hour >= kShockFrom && hour < kShockTo ? shape.shock : 1;
    const std::size_t count = poisson(hours[hour] * shape.requests / total * times, random);
    for (std::size_t i = 0; i < count; ++i) week.push_back(draw_task(hour, shape, random));
  }
  // In the order of drawing where they come at the same time. Not by stable_sort: clang warns of
  // what GCC 12's library uses for it.
  std::vector<std::size_t> order(week.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return std::pair(week[i].at_ms, i); });
  std::vector<Task> sorted;
  sorted.reserve(week.size());
  for (const std::size_t i : order) sorted.push_back(week[i]);
  return sorted;
}

double demand_of(const std::vector<Task>& week) {
  return std::accumulate(week.begin(), week.end(), 0.0,
                         [](double sum, const Task& task) { return sum + task.cost; });
}

}  // namespace tophand::simulation
