// Any bytes as the file of what was learned of classes, and as texts to learn from: a key moves no
// text by more than its day, all together none by more than they ever may, and what was learned can
// be written and read.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "policy/class_learning.h"

namespace {

using namespace tophand::policy;

constexpr double kRounding = 1e-3;  // of float32 weights

ClassFeatures features_of(std::string_view text) {
  ClassFeatures out;
  extract_features({.user = {text}, .messages = 1}, out);
  return out;
}

// A text a line; its first byte says of which class, by whom and on which day.
void check_learning(std::string_view bytes) {
  constexpr int kStepsMax = 64;
  const ClassModel& model = ClassModel::built_in();
  ClassShift shift(model);
  const ClassFeatures probe = features_of(bytes);
  std::array<ClassScores, 2> of_day{};  // by one key and by another
  for (int step = 0; step < kStepsMax && bytes.size() > 1; ++step) {
    const auto what = static_cast<unsigned char>(bytes.front());
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    const ClassFeatures features = features_of(bytes.substr(1, std::max<std::size_t>(end, 1) - 1));
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
    const std::size_t key = what / 128;
    const ClassScores before = shift.score(probe);
    shift.learn(features, static_cast<TaskClass>(what % kTaskClasses), key == 0 ? "a" : "b", 1);
    const ClassScores after = shift.score(probe);
    for (std::size_t c = 0; c < kTaskClasses; ++c) {
      of_day[key][c] += std::abs(after[c] - before[c]);
      TOPHAND_ASSERT(of_day[key][c] <= kDayMoveMax + kRounding);
      TOPHAND_ASSERT(std::abs(after[c]) <= kShiftMax + kRounding);
    }
  }
  const auto read = ClassShift::read(shift.write(), model);
  TOPHAND_ASSERT(read.has_value() && read->score(probe) == shift.score(probe));
}

// A whole file with the bytes put somewhere into it: it is as it was, or refused.
void check_damage(std::string_view bytes) {
  if (bytes.size() < 4) return;
  static const std::string whole = [] {
    ClassShift learned(ClassModel::built_in());
    learned.learn(features_of("fix the typo"), static_cast<TaskClass>(1), "a", 1);
    return learned.write();
  }();
  std::size_t at = 0;
  for (const char c : bytes.substr(0, 3)) at = at * 256 + static_cast<unsigned char>(c);
  at %= whole.size();
  const std::string_view put = bytes.substr(3, whole.size() - at);
  std::string damaged = whole;
  damaged.replace(at, put.size(), put);
  TOPHAND_ASSERT(ClassShift::read(damaged, ClassModel::built_in()).has_value() ==
                 (damaged == whole));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto shift = ClassShift::read(bytes, ClassModel::built_in());
  if (shift) TOPHAND_ASSERT(shift->write() == bytes);
  check_learning(bytes);
  check_damage(bytes);
  return 0;
}
