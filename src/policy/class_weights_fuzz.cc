// Any bytes as the text of a class model. What is accepted scores any text with finite numbers.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>

#include "base/assert.h"
#include "policy/class_model.h"

namespace {

using namespace tophand::policy;

void check_model(const tophand::Result<ClassModel>& model, std::string_view bytes) {
  if (!model) {
    TOPHAND_ASSERT(model.error().code == tophand::Code::kCorrupt);
    return;
  }
  TOPHAND_ASSERT(std::isfinite(model->threshold()));
  ClassFeatures features;
  extract_features({.user = {bytes}}, features);
  const ClassScores scores = model->score(features);
  for (const double score : scores) TOPHAND_ASSERT(std::isfinite(score));
  const ClassScores shares = softmax(scores);
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  TOPHAND_ASSERT(std::abs(sum - 1) < 1e-9);
  const Guess guess = infer_class({.user = {bytes}}, *model);
  TOPHAND_ASSERT(guess.confidence >= 0 && guess.confidence <= 1 + 1e-9);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_model(ClassModel::parse(bytes), bytes);
  // The header alone decides most; lines are put on behind it, or no input would be whole: those of
  // the model that is built in.
  const std::string_view whole = class_weights();
  const std::string_view header = whole.substr(0, whole.find('\n'));
  std::string text(bytes.substr(0, bytes.find('\n')));
  text += whole.substr(header.size());
  check_model(ClassModel::parse(text), bytes);
  if (size < 4) return 0;
  // And the bytes somewhere in the whole text: another id, or the same text.
  std::size_t at = 0;
  for (const char c : bytes.substr(0, 3)) at = at * 256 + static_cast<unsigned char>(c);
  at %= whole.size();
  std::string damaged(whole);
  damaged.replace(at, std::min(size - 3, whole.size() - at), bytes.substr(3, whole.size() - at));
  const auto model = ClassModel::parse(damaged);
  check_model(model, bytes);
  if (model) TOPHAND_ASSERT((model->id() == ClassModel::built_in().id()) == (damaged == whole));
  return 0;
}
