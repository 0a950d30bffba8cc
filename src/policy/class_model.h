// Guesses the class of a request that declares none: first by marks that leave no doubt, then by a
// small linear model over hashed n-grams, weighed with what the same caller has declared before.
// Below a threshold there is no guess. Pure; called once a request, some 40 us for any length of
// prompt: only the ends of the texts are read.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/class_features.h"
#include "policy/task_class.h"

namespace tophand::policy {

class ClassShift;

struct Guess {
  std::string task_class = {};  // "" when nothing is likely enough
  double confidence = 0;        // of the likeliest class, also when it is too low; 0 to 1
  std::string why = {};         // for people; lower case, printable ASCII
};

// One number a class.
using ClassScores = std::array<double, kTaskClasses>;

// The likelihood of the classes, from log-odds. Sums to 1.
ClassScores softmax(const ClassScores& log_odds);

// The linear model as it was trained (scripts/train_classes.sh): whole-number weights and a scale.
class ClassModel {
 public:
  // A text of one header line and then one line a feature bucket; see docs/routing.md. kCorrupt
  // with the line when it is damaged, of another version or of another size.
  static Result<ClassModel> parse(std::string_view text);
  // The one this program was built with.
  static const ClassModel& built_in();

  // Calibrated log-odds.
  ClassScores score(const ClassFeatures& features) const;
  double threshold() const { return threshold_; }
  std::uint64_t id() const { return id_; }  // of the text it was read from

 private:
  // [kFeatureBuckets][kColumns]: a bucket's weights are one load.
  static constexpr std::size_t kColumns = 16;
  std::vector<std::int8_t> weights_;
  std::array<double, kTaskClasses> bias_{};
  double scale_ = 1, threshold_ = 1;
  std::uint64_t id_ = 0;
};

// What is known beside the text and its words.
struct Beside {
  const ClassShift* learned = nullptr;  // from declared requests
  ClassScores prior = {};               // what this caller declares (ClassPrior): log-odds to add
};

Guess infer_class(const ClassFacts& facts, const ClassModel& model, const Beside& beside = {});

// The text of the weights that were built in.
std::string_view class_weights();

}  // namespace tophand::policy
