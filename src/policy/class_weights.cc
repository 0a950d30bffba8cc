// The text of a class model: one header line
//   tophand-classes 1 BUCKETS CLASSES SCALE THRESHOLD BIAS...
// and then one line a bucket with one character a class: a weight from -31 to 31 as the base64
// digit (RFC 4648, table 1) of the weight plus 31. SCALE turns it into log-odds.
#include <charconv>
#include <cmath>

#include "policy/class_model.h"

namespace tophand::policy {
namespace {

constexpr std::string_view kMagic = "tophand-classes";
constexpr int kVersion = 1;
constexpr int kWeightMax = 31;
constexpr double kLogOddsMax = 100;  // of any number in the header

tl::unexpected<Error> damaged(std::size_t line, std::string_view what) {
  return fail(Code::kCorrupt,
              "class weights, line " + std::to_string(line) + ": " + std::string(what));
}

// Takes the next word of a line.
std::string_view next_word(std::string_view& line) {
  const std::size_t space = line.find(' ');
  const std::string_view word = line.substr(0, space);
  line.remove_prefix(space == std::string_view::npos ? line.size() : space + 1);
  return word;
}

template <class T>
bool read_number(std::string_view word, T& out) {
  const auto parsed = std::from_chars(word.data(), word.data() + word.size(), out);
  return parsed.ec == std::errc() && parsed.ptr == word.data() + word.size();
}

std::string_view next_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

// The value of a base64 digit, or 64.
int digit_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : 64;
}

bool within(double value, double most) {
  return std::isfinite(value) && std::abs(value) <= most;
}

}  // namespace

Result<ClassModel> ClassModel::parse(std::string_view text) {
  ClassModel model;
  model.id_ = 0xCBF29CE484222325;  // FNV-1a
  for (const char c : text) model.id_ = (model.id_ ^ static_cast<unsigned char>(c)) * 0x100000001B3;

  std::string_view header = next_line(text);
  std::size_t buckets = 0, classes = 0;
  int version = 0;
  if (next_word(header) != kMagic) return damaged(1, "expected '" + std::string(kMagic) + "'");
  if (!read_number(next_word(header), version) || version != kVersion)
    return damaged(1, "another version than " + std::to_string(kVersion));
  if (!read_number(next_word(header), buckets) || buckets != kFeatureBuckets ||
      !read_number(next_word(header), classes) || classes != kTaskClasses)
    return damaged(1, "another number of buckets or classes");
  if (!read_number(next_word(header), model.scale_) || !within(model.scale_, kLogOddsMax) ||
      model.scale_ <= 0)
    return damaged(1, "no scale");
  if (!read_number(next_word(header), model.threshold_) || !within(model.threshold_, 1) ||
      model.threshold_ < 0)
    return damaged(1, "no threshold between 0 and 1");
  for (double& bias : model.bias_)
    if (!read_number(next_word(header), bias) || !within(bias, kLogOddsMax))
      return damaged(1, "no bias for each class");
  if (!header.empty()) return damaged(1, "more than is known");

  model.weights_.assign(kFeatureBuckets * kColumns, 0);
  for (std::size_t bucket = 0; bucket < kFeatureBuckets; ++bucket) {
    const std::string_view line = next_line(text);
    if (line.size() != kTaskClasses) return damaged(bucket + 2, "expected a weight a class");
    for (std::size_t c = 0; c < kTaskClasses; ++c) {
      const int weight = digit_value(line[c]) - kWeightMax;
      if (weight > kWeightMax) return damaged(bucket + 2, "no weight");
      model.weights_[bucket * kColumns + c] = static_cast<std::int8_t>(weight);
    }
  }
  if (!text.empty()) return damaged(kFeatureBuckets + 2, "more than is known");
  return model;
}

}  // namespace tophand::policy
