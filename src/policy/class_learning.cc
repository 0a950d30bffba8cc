#include "policy/class_learning.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace tophand::policy {
namespace {

constexpr std::size_t kKeysMax = 1024;
constexpr std::string_view kMagic = "tophand-shift-1\n";

// The file: the magic, the model's id, the weights as little-endian float32, and the FNV-1a of all
// before it. Written and read on x86-64 and AArch64, both little-endian.
constexpr std::size_t kWeightBytes = kFeatureBuckets * kTaskClasses * sizeof(float);
constexpr std::size_t kFileBytes = kMagic.size() + 8 + kWeightBytes + 8;

std::uint64_t checksum(std::string_view bytes) {
  std::uint64_t sum = 0xCBF29CE484222325;
  for (const char c : bytes) sum = (sum ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return sum;
}

std::uint64_t load_word(std::string_view bytes) {
  std::uint64_t out = 0;
  std::memcpy(&out, bytes.data(), sizeof out);
  return out;
}

void put_word(std::string& out, std::uint64_t word) {
  char bytes[sizeof word];
  std::memcpy(bytes, &word, sizeof word);
  out.append(bytes, sizeof word);
}

}  // namespace

ClassShift::ClassShift(const ClassModel& model) : model_(&model), weights_(kFeatureBuckets) {}

ClassScores ClassShift::score(const ClassFeatures& features) const {
  ClassScores out{};
  if (std::ranges::all_of(square_, [](double s) { return s == 0; })) return out;  // nothing learned
  for (std::size_t g = 0; g < ClassFeatures::kGroups; ++g) {
    Row sums{};
    for (const std::uint16_t bucket : features.group(g))
      for (std::size_t c = 0; c < kTaskClasses; ++c) sums[c] += weights_[bucket][c];
    for (std::size_t c = 0; c < kTaskClasses; ++c)
      out[c] += features.value(g) * static_cast<double>(sums[c]);
  }
  return out;
}

bool ClassShift::learn(const ClassFeatures& features, TaskClass declared, std::string_view key_id,
                       std::int64_t day) {
  auto spent = days_.find(key_id);
  if (spent == days_.end()) {
    if (days_.size() >= kKeysMax)
      std::erase_if(days_, [&](const auto& d) { return d.second.day != day; });
    if (days_.size() >= kKeysMax) return false;
    spent = days_.emplace(std::string(key_id), Day{day}).first;
  }
  if (spent->second.day != day) spent->second = {day};

  const ClassScores learned = score(features);
  ClassScores log_odds = model_->score(features);
  for (std::size_t c = 0; c < kTaskClasses; ++c) log_odds[c] += learned[c];
  ClassScores step = softmax(log_odds);
  double move = 0;  // the most that any text's log-odds of any class can change by
  for (std::size_t c = 0; c < kTaskClasses; ++c) {
    step[c] = kLearningRate * ((c == static_cast<std::size_t>(declared) ? 1 : 0) - step[c]);
    move = std::max(move, std::abs(step[c]));
  }
  if (spent->second.moved + move > kDayMoveMax) return false;
  spent->second.moved += move;

  double length = 0;  // of the features, squared
  for (std::size_t g = 0; g < ClassFeatures::kGroups; ++g) {
    const double value = features.value(g);
    length += value * value * static_cast<double>(features.group(g).size());
    for (const std::uint16_t bucket : features.group(g))
      for (std::size_t c = 0; c < kTaskClasses; ++c)
        weights_[bucket][c] += static_cast<float>(step[c] * value);
  }
  for (std::size_t c = 0; c < kTaskClasses; ++c) {
    square_[c] += 2 * step[c] * learned[c] + step[c] * step[c] * length;
    if (square_[c] <= kShiftMax * kShiftMax) continue;
    const auto kept = static_cast<float>(kShiftMax / std::sqrt(square_[c]));
    for (Row& row : weights_) row[c] *= kept;
    square_[c] = kShiftMax * kShiftMax;
  }
  return true;
}

std::string ClassShift::write() const {
  std::string out(kMagic);
  out.reserve(kFileBytes);
  put_word(out, model_->id());
  out.append(reinterpret_cast<const char*>(weights_.data()), kWeightBytes);
  put_word(out, checksum(out));
  return out;
}

Result<ClassShift> ClassShift::read(std::string_view bytes, const ClassModel& model) {
  static_assert(sizeof(Row) == kTaskClasses * sizeof(float));
  if (bytes.size() != kFileBytes || !bytes.starts_with(kMagic))
    return fail(Code::kCorrupt, "learned classes: not a file of this version");
  const std::string_view summed = bytes.substr(0, kFileBytes - 8);
  if (load_word(bytes.substr(kFileBytes - 8)) != checksum(summed))
    return fail(Code::kCorrupt, "learned classes: the checksum is wrong");
  if (load_word(bytes.substr(kMagic.size())) != model.id())
    return fail(Code::kConflict, "learned classes: made for another version of the model");
  ClassShift shift(model);
  std::memcpy(shift.weights_.data(), bytes.data() + kMagic.size() + 8, kWeightBytes);
  for (const Row& row : shift.weights_)
    for (std::size_t c = 0; c < kTaskClasses; ++c) {
      const double weight = static_cast<double>(row[c]);
      if (!std::isfinite(weight)) return fail(Code::kCorrupt, "learned classes: not a number");
      shift.square_[c] += weight * weight;
    }
  for (const double square : shift.square_)  // float rounding aside, write() keeps to the bound
    if (square > kShiftMax * kShiftMax * 1.001)
      return fail(Code::kCorrupt, "learned classes: beyond what can be learned");
  return shift;
}

}  // namespace tophand::policy
