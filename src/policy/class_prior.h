// What a caller has declared before, as evidence for what it does not declare: counts of declared
// classes by caller, model asked for and size of the prompt, folded from the ledger's rows. Pure;
// not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "policy/class_model.h"

namespace tophand::policy {

// A caller's kind of request. The views are not kept.
struct RequestShape {
  std::string_view key_id = {}, agent = {}, model_asked = {};
  std::int64_t prompt_tokens = 0;
};

// However often it was declared, it moves the log-odds of a class by no more. Those who declare
// some classes and not others would otherwise be taken for declaring all of them.
inline constexpr double kPriorMax = 1.5;

class ClassPrior {
 public:
  void observe(const RequestShape& shape, TaskClass declared);
  // What to add to the text model's log-odds; zero for a caller that never declared.
  ClassScores score(const RequestShape& shape) const;

 private:
  using Counts = std::array<float, kTaskClasses>;
  // Of the callers, and of the callers' shapes. A caller that is too many is not counted.
  std::map<std::string, Counts, std::less<>> callers_, shapes_;
};

}  // namespace tophand::policy
