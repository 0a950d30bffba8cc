// What declared requests add to the class model while the gateway runs: a shift of its log-odds,
// learned by the same gradient step as the model itself. Pure. The texts are not kept, only sums
// over hashed n-grams; one row of declared requests teaches all callers, so a single caller's say
// is bounded:
//   - a key moves no text's log-odds of any class by more than kDayMoveMax a day;
//   - all keys together move none by more than kShiftMax, ever (a projection, as features have at
//     most length 1).
// Not thread-safe; its owner locks.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/class_model.h"

namespace tophand::policy {

inline constexpr double kDayMoveMax = 3.0;  // log-odds: .1 becomes .7
inline constexpr double kShiftMax = 4.0;
inline constexpr double kLearningRate = 0.5;

class ClassShift {
 public:
  // Nothing learned yet, for this model: a shift is worth nothing with other weights.
  explicit ClassShift(const ClassModel& model);
  // Of bytes that write() made. kCorrupt when they are damaged, kConflict when they belong to other
  // weights than `model`'s. Which key has spent how much of its day is not kept.
  static Result<ClassShift> read(std::string_view bytes, const ClassModel& model);
  std::string write() const;

  // What to add to the model's log-odds.
  ClassScores score(const ClassFeatures& features) const;
  // One step towards what a key declared, on a day (any count of whole days). False when the key's
  // day is used up, or there are too many keys to keep count of.
  bool learn(const ClassFeatures& features, TaskClass declared, std::string_view key_id,
             std::int64_t day);

 private:
  using Row = std::array<float, kTaskClasses>;
  struct Day {
    std::int64_t day = 0;
    double moved = 0;
  };

  const ClassModel* model_;
  std::vector<Row> weights_;                   // [kFeatureBuckets]
  std::array<double, kTaskClasses> square_{};  // of each class's weights' length
  std::map<std::string, Day, std::less<>> days_;
};

}  // namespace tophand::policy
