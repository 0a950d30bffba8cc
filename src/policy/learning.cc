#include "policy/learning.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

namespace tophand::policy {
namespace {

constexpr std::array<std::string_view, 4> kStages{"shadow", "canary", "trusted", "demoted"};
constexpr std::array<std::string_view, 5> kSources{"gate", "shadow", "audit_judge", "downstream",
                                                   "human"};

Rate rate_of(const Counts& counts) {
  return {counts.mean(), wilson_lower(counts.good(), counts.n()),
          wilson_upper(counts.good(), counts.n()), counts.n()};
}

bool is_judged(LabelSource source) {
  return source == LabelSource::kJudge;
}

std::string in_digits(const char* format, double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

}  // namespace

std::string_view stage_name(Stage stage) {
  return kStages.at(static_cast<std::size_t>(stage));
}

std::string_view label_source_name(LabelSource source) {
  return kSources.at(static_cast<std::size_t>(source));
}

std::optional<LabelSource> parse_label_source(std::string_view name) {
  const auto* const found = std::ranges::find(kSources, name);
  if (found == kSources.end()) return std::nullopt;
  return static_cast<LabelSource>(found - kSources.begin());
}

std::string route_model(std::string_view backend, std::string_view model) {
  return (backend.empty() || backend == "local" ? "" : std::string(backend) + "/") +
         std::string(model);
}

RouteTable::RouteTable(std::vector<RouteState> states) : states_(std::move(states)) {
  std::ranges::sort(states_, {}, &RouteState::route);
}

const RouteState* RouteTable::find(std::string_view task_class, std::string_view model) const {
  const auto key = std::pair(task_class, model);
  const auto found = std::ranges::lower_bound(states_, key, {}, [](const RouteState& state) {
    return std::pair<std::string_view, std::string_view>(state.route.task_class, state.route.model);
  });
  const bool there = found != states_.end() && found->route.task_class == task_class &&
                     found->route.model == model;
  return there ? &*found : nullptr;
}

void Learner::Channel::add(bool good) {
  counts.add(good);
  ++ever;
  ++stage_n;
  if (good) ++stage_good;
}

void Learner::observe(const Label& label) {
  if (label.version.empty()) return;
  Route* route = route_for(label);
  if (route == nullptr) return;
  const auto earlier = rows_.find(label.row_id);
  const bool again = earlier != rows_.end();
  // A human's word on a row that was judged tells how good the judge is.
  if (again && is_judged(earlier->second.source) && label.source == LabelSource::kHuman) {
    (label.good ? judge_.of_good : judge_.of_bad).add(earlier->second.good);
    ++judge_pairs_;
  }
  // What the gate has thrown out was no success, however good it was.
  const bool success = label.good && label.gate != GateVerdict::kFailed;
  const bool same = again && success == earlier->second.good;
  // The surer word counts; of a person's own, the last.
  const bool corrected = again && !same && label.source == LabelSource::kHuman;
  if (again && label.source <= earlier->second.source && !corrected) return;
  if (label.source != LabelSource::kGate && label.gate != GateVerdict::kNone)
    (label.good ? route->gate_of_good : route->gate_of_bad).add(label.gate == GateVerdict::kPassed);
  if (again) replace(*route, earlier->second);
  Channel& channel = is_judged(label.source) ? route->judged : route->direct;
  channel.add(success);
  rows_[label.row_id] = {label.source, success, channel.ever, route->stage_serial};
  if (rows_.size() > settings_.rows_max) rows_.erase(rows_.begin());
  const bool answers = route->stage == Stage::kCanary || route->stage == Stage::kTrusted;
  if (answers && !same && route->cusum.observe(success, drift_for(label.source)))
    return enter(*route, Stage::kDemoted, label.time_ms,
                 "fell: cusum reached " + in_digits("%.1f", settings_.drift.threshold));
  move(*route, label);
}

// Nothing when the label is about a version that has been replaced.
Learner::Route* Learner::route_for(const Label& label) {
  auto found = routes_.find(label.route);
  if (found == routes_.end()) {
    if (routes_.size() >= settings_.routes_max)
      routes_.erase(std::ranges::min_element(
          routes_, {}, [](const auto& entry) { return entry.second.last_row; }));
    found = routes_.emplace(label.route, Route{}).first;
    found->second.version = label.version;
    found->second.since_ms = label.time_ms;
    enter(found->second, Stage::kShadow, label.time_ms, "first seen");
  }
  Route& route = found->second;
  if (label.version != route.version) {
    if (label.row_id <= route.last_row) return nullptr;
    start_anew(route, label.version, label.time_ms);
  }
  route.last_row = std::max(route.last_row, label.row_id);
  return &route;
}

void Learner::renew(const RouteName& name, const std::string& version, std::int64_t time_ms) {
  const auto found = routes_.find(name);
  if (found == routes_.end() || found->second.version == version) return;
  start_anew(found->second, version, time_ms);
}

void Learner::start_anew(Route& route, const std::string& version, std::int64_t time_ms) const {
  const std::string before = route.version;
  const std::int64_t last_row = route.last_row;
  route = Route{};
  route.version = version;
  route.last_row = last_row;
  route.since_ms = time_ms;
  enter(route, Stage::kShadow, time_ms, "was " + before + ", starts anew");
}

void Learner::enter(Route& route, Stage stage, std::int64_t time_ms, std::string why) const {
  route.stage = stage;
  ++route.stage_serial;
  route.direct.stage_good = route.direct.stage_n = 0;
  route.judged.stage_good = route.judged.stage_n = 0;
  route.next_look = settings_.first_look;
  route.cusum.reset();
  route.changed_ms = time_ms;
  route.why = std::move(why);
}

void Learner::replace(Route& route, const Known& known) {
  Channel& channel = is_judged(known.source) ? route.judged : route.direct;
  channel.counts.take_out(known.good, channel.ever - known.at);
  if (known.stage_serial != route.stage_serial) return;
  --channel.stage_n;
  if (known.good) --channel.stage_good;
}

// Up by one stage, when it is time to look and the bound is high enough.
void Learner::move(Route& route, const Label& label) const {
  const std::int64_t seen = route.direct.stage_n + route.judged.stage_n;
  if (seen < route.next_look || route.stage == Stage::kTrusted) return;
  route.next_look *= 2;
  const Corrected all = pooled(
      static_cast<double>(route.direct.stage_good), static_cast<double>(route.direct.stage_n),
      static_cast<double>(route.judged.stage_good), static_cast<double>(route.judged.stage_n));
  const double lower = wilson_lower(all.rate * all.n, all.n);
  if (lower < settings_.promote_at) return;
  enter(route, route.stage == Stage::kCanary ? Stage::kTrusted : Stage::kCanary, label.time_ms,
        "lower bound " + in_digits("%.3f", lower) + " after " + std::to_string(seen));
}

// As a judge with known faults would show the two rates.
CusumSettings Learner::drift_for(LabelSource source) const {
  CusumSettings drift = settings_.drift;
  if (!is_judged(source) || !judge_is_known()) return drift;
  const double tpr = judge_.of_good.mean(), fpr = judge_.of_bad.mean();
  for (double* rate : {&drift.good, &drift.bad}) *rate = *rate * tpr + (1 - *rate) * fpr;
  return drift;
}

Corrected Learner::pooled(double direct_good, double direct_n, double judged_good,
                          double judged_n) const {
  double good = direct_good, n = direct_n;
  if (!judge_is_known()) {
    good += judged_good;
    n += judged_n;
  } else if (const auto corrected = correct_for(judge_, judged_good, judged_n)) {
    good += corrected->rate * corrected->n;
    n += corrected->n;
  }
  return {n > 0 ? std::clamp(good / n, 0.0, 1.0) : 0, n};
}

RouteState Learner::describe(const RouteName& name, const Route& route) const {
  const Corrected all = pooled(route.direct.counts.good(), route.direct.counts.n(),
                               route.judged.counts.good(), route.judged.counts.n());
  RouteState state;
  state.route = name;
  state.version = route.version;
  state.stage = route.stage;
  state.p_mean = (1 + all.rate * all.n) / (2 + all.n);
  state.p_lower = wilson_lower(all.rate * all.n, all.n);
  state.n = all.n;
  state.seen = route.direct.stage_n + route.judged.stage_n;
  state.next_look = route.stage == Stage::kTrusted ? 0 : route.next_look;
  state.cusum = route.cusum.sum();
  state.gate_tpr = rate_of(route.gate_of_good);
  state.gate_fpr = rate_of(route.gate_of_bad);
  state.judge_is_corrected = judge_is_known() && route.judged.ever > 0;
  state.since_ms = route.since_ms;
  state.changed_ms = route.changed_ms;
  state.why = route.why;
  return state;
}

std::optional<RouteState> Learner::find(const RouteName& route) const {
  const auto found = routes_.find(route);
  if (found == routes_.end()) return std::nullopt;
  return describe(found->first, found->second);
}

std::vector<RouteState> Learner::all() const {
  std::vector<RouteState> out;
  for (const auto& [name, route] : routes_) out.push_back(describe(name, route));
  return out;
}

}  // namespace tophand::policy
