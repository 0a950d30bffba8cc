// What has been learned of the classes of requests while the gateway runs: the text model's shift
// and the callers' habits. Fed with declared requests and with the ledger's rows; asked once a
// request. Thread-safe.
#pragma once

#include <functional>
#include <shared_mutex>
#include <string>
#include <string_view>

#include "ledger/ledger.h"
#include "policy/class_learning.h"
#include "policy/class_prior.h"
#include "policy/policy.h"

namespace tophand::steering {

class ClassBook {
 public:
  // `learned`: bytes that an earlier one gave to `keep`, "" for none; what cannot be read is
  // started anew, with a warning in the log. `keep` (may be empty) gets what is to be stored, now
  // and then and at the end, from the thread that learned; it must not call back.
  ClassBook(std::string_view learned, std::function<void(const std::string&)> keep);
  ~ClassBook();
  ClassBook(const ClassBook&) = delete;
  ClassBook& operator=(const ClassBook&) = delete;

  policy::Guess infer(const policy::Facts& facts) const;
  // A request came whose class was declared. The text is not kept.
  void declared(const policy::Facts& facts, std::string_view task_class, std::int64_t day);
  // Habits: an attempt has ended, or had when the gateway was started.
  void ended(const ledger::AttemptStart& start, std::int64_t input_tokens);
  void load(const std::vector<ledger::Row>& rows);

 private:
  const std::function<void(const std::string&)> keep_;
  mutable std::shared_mutex mutex_;  // guards what follows
  policy::ClassShift shift_;
  policy::ClassPrior prior_;
  int unkept_ = 0;  // steps since the last keep
};

}  // namespace tophand::steering
