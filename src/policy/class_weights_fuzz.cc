// Any bytes as the text of a class model. What is accepted scores any text with finite numbers.
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "policy/class_model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tophand::policy;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  // The header alone decides most; the lines that follow it are put on, or no input would be whole.
  std::string text(bytes.substr(0, bytes.find('\n')));
  text += '\n';
  for (std::size_t i = 0; i < kFeatureBuckets; ++i) text += "fffffffffff\n";
  (void)ClassModel::parse(bytes);
  const auto model = ClassModel::parse(text);
  if (!model) return 0;
  const Guess guess = infer_class({.user = {bytes}}, *model);
  TOPHAND_ASSERT(std::isfinite(guess.confidence));
  return 0;
}
