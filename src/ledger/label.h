// What was found out about an answer after it was given: whether the gate let it pass, what a judge
// or a person thought of it, what became of the commit.
#pragma once

#include <cstdint>
#include <string>

namespace tophand::ledger {

struct Label {
  std::string request_id = {};
  std::int64_t attempt = 0;  // 0: the one that answered
  std::string source = {};   // "gate", "shadow", "audit_judge", "downstream", "human"
  std::string verdict = {};  // "good", "bad"
  std::string note = {};
  // What it counts for: see policy::Label. The class and the model of the row where they are empty.
  std::string task_class = {}, model = {}, version = {};
  std::string gate = {};  // what the gate said of the answer: "passed", "failed", ""
  // Set by the ledger.
  std::int64_t id = 0, row_id = 0, time_ms = 0;
};

inline constexpr std::int64_t kLabelsOfARowMax = 16;
inline constexpr std::size_t kLabelNoteBytesMax = 500;

}  // namespace tophand::ledger
