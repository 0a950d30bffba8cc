// Trains the class model of src/policy: multinomial logistic regression by stochastic gradient
// descent on the product's own features, on prompts that scripts/class_prompts made. Deterministic:
// the same files give the same weights. scripts/train_classes.sh runs it.
//
// usage: train_classes TRAIN VALID ALL OUT
//   TRAIN, VALID: prompts of different templates; from them come the calibration and the threshold.
//   ALL: of every template; from it come the weights that are written.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include "base/random.h"
#include "policy/class_model.h"
#include "policy/class_prompts_for_tests.h"

namespace {

using namespace tophand;
using namespace tophand::policy;

constexpr int kEpochs = 8;
constexpr double kRate = 6.0;           // falls linearly to a tenth
constexpr double kDecay = 5e-7;         // of every weight, a step
constexpr double kPrecisionMin = 0.95;  // of guesses above the threshold, on VALID

struct Example {
  ClassFeatures features;
  std::size_t target = 0;
};

struct Weights {
  std::vector<std::array<float, kTaskClasses>> of =
      std::vector<std::array<float, kTaskClasses>>(kFeatureBuckets);
  ClassScores bias{};
};

// Requests that a rule decides never reach the model.
std::vector<Example> read_examples(const char* path) {
  std::vector<Example> out;
  for (const LabelledPrompt& prompt : read_prompts(path)) {
    Example& example = out.emplace_back();
    extract_features(prompt.facts(), example.features);
    example.target = static_cast<std::size_t>(prompt.task_class);
  }
  if (out.empty()) std::fprintf(stderr, "train_classes: no prompts in %s\n", path);
  return out;
}

ClassScores score(const Weights& weights, const ClassFeatures& features) {
  ClassScores out = weights.bias;
  for (std::size_t g = 0; g < ClassFeatures::kGroups; ++g)
    for (const std::uint16_t bucket : features.group(g))
      for (std::size_t c = 0; c < kTaskClasses; ++c)
        out[c] += features.value(g) * static_cast<double>(weights.of[bucket][c]);
  return out;
}

Weights train(const std::vector<Example>& examples) {
  Weights weights;
  std::vector<std::size_t> order(examples.size());
  std::iota(order.begin(), order.end(), 0);
  SplitMix64 random(1);
  const double steps = static_cast<double>(examples.size()) * kEpochs;
  double done = 0;
  for (int epoch = 0; epoch < kEpochs; ++epoch) {
    for (std::size_t i = order.size(); i > 1; --i)
      std::swap(order[i - 1], order[random.next() % i]);
    for (const std::size_t index : order) {
      const Example& example = examples[index];
      const double rate = kRate * (1 - 0.9 * done++ / steps);
      const ClassScores shares = softmax(score(weights, example.features));
      for (std::size_t g = 0; g < ClassFeatures::kGroups; ++g) {
        const double step = rate * example.features.value(g);
        for (const std::uint16_t bucket : example.features.group(g))
          for (std::size_t c = 0; c < kTaskClasses; ++c)
            weights.of[bucket][c] += static_cast<float>(step * ((c == example.target) - shares[c]));
      }
      for (std::size_t c = 0; c < kTaskClasses; ++c)
        weights.bias[c] += 0.01 * rate * ((c == example.target) - shares[c]);
    }
    const float kept = static_cast<float>(std::pow(1 - kDecay * kRate, examples.size()));
    for (auto& row : weights.of)
      for (float& weight : row) weight *= kept;
  }
  return weights;
}

struct Scored {
  ClassScores log_odds;
  std::size_t target;
};

double log_loss(const std::vector<Scored>& all, double heat) {
  double sum = 0;
  for (const Scored& one : all) {
    ClassScores cooled = one.log_odds;
    for (double& x : cooled) x /= heat;
    sum -= std::log(std::max(softmax(cooled)[one.target], 1e-12));
  }
  return sum / static_cast<double>(all.size());
}

// One number that makes the shares honest (temperature scaling: Guo et al. 2017, section 4.2).
double fit_heat(const std::vector<Scored>& all) {
  double best = 1;
  for (double heat = 0.3; heat < 8; heat *= 1.03)
    if (log_loss(all, heat) < log_loss(all, best)) best = heat;
  return best;
}

// The least share above which kPrecisionMin of the guesses are right.
double fit_threshold(const std::vector<Scored>& all, double heat) {
  for (double threshold = 0.3; threshold < 0.99; threshold += 0.01) {
    double taken = 0, right = 0;
    for (const Scored& one : all) {
      ClassScores cooled = one.log_odds;
      for (double& x : cooled) x /= heat;
      const ClassScores shares = softmax(cooled);
      const auto top = static_cast<std::size_t>(std::ranges::max_element(shares) - shares.begin());
      if (shares[top] < threshold || top + 1 == kTaskClasses) continue;
      ++taken;
      right += top == one.target;
    }
    if (right >= kPrecisionMin * taken) return threshold;
  }
  return 0.99;
}

bool write(const Weights& weights, double heat, double threshold, const char* path) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  float most = 0;
  for (const auto& row : weights.of)
    for (const float weight : row) most = std::max(most, std::abs(weight));
  std::FILE* out = std::fopen(path, "w");
  if (out == nullptr) return false;
  std::fprintf(out, "tophand-classes 1 %zu %zu %.6g %.2f", kFeatureBuckets, kTaskClasses,
               static_cast<double>(most) / 31 / heat, threshold);
  for (const double bias : weights.bias) std::fprintf(out, " %.4f", bias / heat);
  std::fputc('\n', out);
  for (const auto& row : weights.of) {
    for (const float weight : row) std::fputc(kDigits[std::lround(weight / most * 31) + 31], out);
    std::fputc('\n', out);
  }
  return std::fclose(out) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: train_classes TRAIN VALID ALL OUT\n");
    return 2;
  }
  const std::vector<Example> examples = read_examples(argv[1]), valid = read_examples(argv[2]),
                             all = read_examples(argv[3]);
  if (examples.empty() || valid.empty() || all.empty()) return 1;
  const Weights trial = train(examples);
  std::vector<Scored> scored;
  double right = 0;
  for (const Example& example : valid) {
    scored.push_back({score(trial, example.features), example.target});
    const auto& odds = scored.back().log_odds;
    right +=
        static_cast<std::size_t>(std::ranges::max_element(odds) - odds.begin()) == example.target;
  }
  const double heat = fit_heat(scored), threshold = fit_threshold(scored, heat);
  std::printf(
      "validation: %zu prompts of other templates, %.1f %% right; heat %.2f, threshold %.2f\n",
      valid.size(), 100 * right / static_cast<double>(valid.size()), heat, threshold);
  if (!write(train(all), heat, threshold, argv[4])) {
    std::fprintf(stderr, "train_classes: cannot write %s\n", argv[4]);
    return 1;
  }
}
