// What local models have been seen to manage, kept while the gateway runs: made anew from the
// ledger's labels at the start (in the background, so that the start waits for nothing), then fed
// with new ones. A label is always written before it counts, and counts in the order in which it
// was written, so that the table is the same after a restart. docs/learning.md. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "ledger/ledger.h"
#include "policy/learning.h"
#include "policy/sampling.h"
#include "steering/edit_memory.h"
#include "steering/question_memory.h"

namespace tophand::steering {

struct RouteBookDeps {
  ledger::Ledger* ledger = nullptr;  // nullptr: nothing is learned
  const Clock* clock = nullptr;
  // Names what else answers hang on (the model's file, the gate); may be slow. Empty: nothing does.
  std::function<std::string(const std::string& backend, const std::string& model)> version_of = {};
  policy::SampleSeed seed = {};
};

// What somebody or something says of an answer.
struct Opinion {
  std::string request_id = {};
  std::int64_t attempt = 0;  // 0: the one that answered
  policy::LabelSource source = policy::LabelSource::kHuman;
  bool good = false;
  std::string note = {};
};

class RouteBook {
 public:
  explicit RouteBook(RouteBookDeps deps);
  ~RouteBook();
  RouteBook(const RouteBook&) = delete;
  RouteBook& operator=(const RouteBook&) = delete;

  // The states now; empty until the ledger has been read.
  std::shared_ptr<const policy::RouteTable> table() const;
  bool is_loaded() const { return loaded_; }
  void wait_until_loaded() const;

  // Whether the request that `model` of this name (see policy::route_model) is about to answer is
  // one to look at more closely. Counts it.
  policy::Arm draw_arm(std::string_view request_id, const policy::RouteName& route,
                       const policy::Shares& shares);
  void ended(const ledger::AttemptStart& start, const ledger::AttemptEnd& end);
  // A question of a person; an earlier answer to the same one is taken to have been no good.
  void asked(std::string_view asker, std::string_view text, const std::string& request_id);
  // What local answers write into files, and what becomes of it: see EditMemory.
  void wrote(std::uint64_t conversation, std::size_t messages, const std::string& request_id);
  void edited(std::uint64_t conversation, std::size_t messages, std::span<const FileEdit> edits);
  void spoke(std::uint64_t conversation, std::size_t messages);
  // For errors see Ledger::add_label.
  Result<ledger::Label> add(const Opinion& opinion);

 private:
  struct Answer {  // by a local model, for labels that come later
    std::int64_t attempt = 0;
    std::string version, gate;
  };
  struct Day {
    std::int64_t number = 0;  // since 1970, UTC
    policy::DayCount count;
  };

  void load();
  Result<bool> read_page();  // false: there was nothing new
  void learn(const ledger::Label& label);
  void publish();
  void renew_all();
  std::string version_of(const std::string& backend, const std::string& model);
  void remember(const ledger::AttemptStart& start, const ledger::AttemptEnd& end,
                const std::string& version);
  Answer recall(const Opinion& opinion);
  void add_fates(const std::vector<EditMemory::Fate>& fates);

  const RouteBookDeps deps_;
  mutable std::mutex mutex_;  // guards what follows; taken before the ledger's
  policy::Learner learner_;
  std::int64_t last_label_ = 0;
  std::shared_ptr<const policy::RouteTable> table_;
  std::map<policy::RouteName, Day> days_;
  std::unordered_map<std::string, Answer> answers_;
  std::deque<std::string> answer_order_;  // the oldest first
  QuestionMemory questions_;
  EditMemory edits_;
  struct Version {
    std::int64_t known_ns = 0;
    std::string name;
  };
  std::map<std::string, Version> versions_;

  std::atomic<bool> loaded_ = false, stop_ = false;
  std::thread loader_;
};

}  // namespace tophand::steering
