// What is seen of each class of tasks in the ledger's own paid rows: how much of its prompts Claude
// had in its cache, how long it thought, how long its answers are beside local ones, and how far
// the token estimate is off. A fold over ended attempts, so that it can be made anew from the file
// at every start. Pure; not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "ledger/counterfactual.h"
#include "ledger/ledger.h"

namespace tophand::ledger {

// The linear estimate of prompt tokens beside what the provider counted.
struct EstimateError {
  std::int64_t n = 0;
  std::int64_t counted = 0, estimated = 0, corrected = 0;  // tokens, summed
  double relative_error = 0;            // |estimated - counted| / counted, summed
  double relative_error_corrected = 0;  // each corrected by what was known before it
};

class Habits {
 public:
  // An attempt that is over. What tells nothing (judges, failures, no estimate) is passed over.
  void observe(const AttemptStart& start, const AttemptEnd& end);
  void observe(const Row& row);

  // Of the class when at least five of its answers were seen, else of all classes together.
  Habit of(std::string_view task_class) const;
  const EstimateError& error() const { return all_.error; }
  std::map<std::string, EstimateError> errors_by_class() const;

 private:
  struct Seen {  // one ended attempt
    std::string_view request_id, task_class, basis;
    bool claude = false, shadow = false;
    TokenCounts tokens;
    std::int64_t estimated = 0;
  };
  struct Paid {
    TokenCounts tokens;
    std::int64_t thinking = 0;
  };
  struct Pair {  // two answers to one task, in Claude's tokens
    std::int64_t claude = 0, local = 0;
  };
  struct OfClass {
    std::deque<Paid> paid;
    Paid sum;
    std::deque<Pair> pairs;
    Pair pair_sum;
    std::int64_t estimates = 0;
    double tokens_ratio = 1;
    EstimateError error;
  };
  struct Half {  // of what may be a pair, until the other half comes
    std::string request_id;
    Pair answer;  // one of them
  };

  void observe(const Seen& seen);
  void observe_paid(const Seen& seen);
  void observe_pair(const Seen& seen);
  OfClass* named(std::string_view task_class);  // nullptr: there are too many

  std::map<std::string, OfClass, std::less<>> classes_;
  OfClass all_;
  std::deque<Half> answers_, shadows_;
};

}  // namespace tophand::ledger
