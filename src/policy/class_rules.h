// Marks that leave little doubt of a request's class. Pure; reads the same slices as the model.
#pragma once

#include <optional>
#include <string_view>

#include "policy/class_features.h"
#include "policy/task_class.h"

namespace tophand::policy {

struct ClassMark {
  TaskClass task_class = TaskClass::kOther;
  std::string_view why = {};
};

// The first rule that applies, or nothing. kOther: a request that must not be guessed at.
std::optional<ClassMark> marked_class(const ClassFacts& facts);

}  // namespace tophand::policy
