// Any bytes as the file of what was learned of classes.
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "policy/class_learning.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tophand::policy;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto shift = ClassShift::read(bytes, ClassModel::built_in());
  if (shift) TOPHAND_ASSERT(shift->write() == bytes);
  // A whole file with these bytes put somewhere into it: only the checksum may tell.
  if (size < 4) return 0;
  std::string whole = ClassShift(ClassModel::built_in()).write();
  const std::size_t at =
      (data[0] + std::size_t{256} * data[1] + std::size_t{65536} * data[2]) % whole.size();
  whole.replace(at, std::min(size - 3, whole.size() - at), bytes.substr(3, whole.size() - at));
  (void)ClassShift::read(whole, ClassModel::built_in());
  return 0;
}
