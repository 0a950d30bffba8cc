// What local models have been seen to manage, by class of task: a fold over labels in the order in
// which they came, so that the whole table can be made anew from the ledger. docs/learning.md says
// what counts as success and why the numbers are what they are. Pure; one owner (steering's
// RouteBook), no threads.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/evidence.h"

namespace tophand::policy {

// Of the gates and of the prompts of tasks/. To be raised when one of them changes so that what was
// learned before holds no longer.
inline constexpr std::string_view kGateVersion = "g1";

// How far local answers of a class are trusted. kShadow: Claude answers, local runs beside it.
// kCanary, kTrusted: local answers, a larger or smaller share of them is audited. kDemoted: it was
// trusted and then got worse.
enum class Stage : std::uint8_t { kShadow, kCanary, kTrusted, kDemoted };
std::string_view stage_name(Stage stage);  // "shadow", ...

// Where a label comes from, the weakest first: a later label of the same row replaces a weaker one.
enum class LabelSource : std::uint8_t { kGate, kShadow, kJudge, kDownstream, kHuman };
std::string_view label_source_name(LabelSource source);  // "gate", ..., "audit_judge", ...
std::optional<LabelSource> parse_label_source(std::string_view name);

// What the gate said of the answer that a label is about.
enum class GateVerdict : std::uint8_t { kNone, kPassed, kFailed };

// Evidence is kept for a class and a model. The version names everything else that an answer hangs
// on (the model's file, the prompt, the gate): with another one it starts from nothing.
struct RouteName {
  std::string task_class, model;
  auto operator<=>(const RouteName&) const = default;
};

// What is learned of a model is learned of it where it runs: "ws2/MODEL"; of the own engine
// ("" or "local"), the name alone.
std::string route_model(std::string_view backend, std::string_view model);
// Claude's rates are kept beside them, for what is to be gained by asking it. They have no stages.
inline bool is_claude_route(std::string_view model) {
  return model.starts_with("claude/");
}

struct Label {
  RouteName route;
  std::string version;
  std::int64_t row_id = 0;  // of the attempt in the ledger; rises with time
  std::int64_t time_ms = 0;
  LabelSource source = LabelSource::kGate;
  bool good = false;
  GateVerdict gate = GateVerdict::kNone;
};

struct Rate {
  double mean = 0, lower = 0, upper = 1, n = 0;  // bounds: one-sided 95 % each
};

struct RouteState {
  RouteName route;
  std::string version;
  Stage stage = Stage::kShadow;
  double p_mean = 0.5;              // that local answers a task of this class well
  double p_lower = 0;               // one-sided 95 % (Wilson)
  double n = 0;                     // observations that this rests on, after forgetting
  std::int64_t seen = 0;            // since the stage began, without forgetting
  std::int64_t next_look = 0;       // at this many it may be promoted
  double cusum = 0;                 // demoted at LearnerSettings::drift.threshold
  Rate gate_tpr, gate_fpr;          // the gate passes: good answers, bad ones
  bool judge_is_corrected = false;  // by enough human labels
  std::int64_t since_ms = 0;        // the first label of this version
  std::int64_t changed_ms = 0;      // when the stage began
  std::string why;                  // for people
};

// What the rules look at: the states at one moment.
class RouteTable {
 public:
  RouteTable() = default;
  explicit RouteTable(std::vector<RouteState> states);
  const RouteState* find(std::string_view task_class, std::string_view model) const;
  const std::vector<RouteState>& states() const { return states_; }

 private:
  std::vector<RouteState> states_;  // sorted by name
};

struct LearnerSettings {
  double promote_at = 0.80;      // of the one-sided lower bound
  std::int64_t first_look = 50;  // then at twice as many, and so on: repeated looking adds little
  CusumSettings drift = {};
  std::int64_t judge_pairs_min = 50;  // rows judged and labelled by a human, before correction
  std::size_t routes_max = 512;       // classes come from clients
  std::size_t rows_max = 4096;        // that a second label can still meet
};

class Learner {
 public:
  explicit Learner(LearnerSettings settings) : settings_(settings) {}
  Learner() : Learner(LearnerSettings()) {}

  // Labels of an unknown version ("") say nothing about this one and are passed over.
  void observe(const Label& label);
  // The model, its prompt or its gate is another one now; nothing happens when it is not.
  void renew(const RouteName& route, const std::string& version, std::int64_t time_ms);
  // Absent while nothing is known: as good as RouteState{}.
  std::optional<RouteState> find(const RouteName& route) const;
  std::vector<RouteState> all() const;  // by class, then model
  const JudgeQuality& judge() const { return judge_; }
  std::int64_t judge_pairs() const { return judge_pairs_; }

 private:
  // Labels that are taken as they are, or those that a judge gave.
  struct Channel {
    Counts counts;
    std::int64_t ever = 0;                     // observations so far
    std::int64_t stage_good = 0, stage_n = 0;  // since the stage began, without forgetting
    void add(bool good);
  };
  struct Route {
    std::string version;
    std::int64_t last_row = 0;
    Stage stage = Stage::kShadow;
    std::int64_t stage_serial = 0;  // how many stages it has been through
    Channel direct, judged;
    Counts gate_of_good, gate_of_bad;  // "passed" counts as a success
    std::int64_t next_look = 0;
    Cusum cusum;
    std::int64_t since_ms = 0, changed_ms = 0;
    std::string why;
  };
  struct Known {  // the label of a row that counts
    LabelSource source = LabelSource::kGate;
    bool good = false;
    std::int64_t at = 0, stage_serial = 0;  // its channel's `ever`, and the route's stage
  };

  Route* route_for(const Label& label);
  void start_anew(Route& route, const std::string& version, std::int64_t time_ms) const;
  void enter(Route& route, Stage stage, std::int64_t time_ms, std::string why) const;
  void replace(Route& route, const Known& known);
  void move(Route& route, const Label& label) const;
  bool judge_is_known() const { return judge_pairs_ >= settings_.judge_pairs_min; }
  CusumSettings drift_for(LabelSource source) const;
  Corrected pooled(double direct_good, double direct_n, double judged_good, double judged_n) const;
  RouteState describe(const RouteName& name, const Route& route) const;

  LearnerSettings settings_;
  std::map<RouteName, Route> routes_;
  std::map<std::int64_t, Known> rows_;  // the latest labelled ones
  JudgeQuality judge_;
  std::int64_t judge_pairs_ = 0;
};

}  // namespace tophand::policy
