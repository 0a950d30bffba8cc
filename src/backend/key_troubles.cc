#include "backend/key_troubles.h"

namespace tophand::backend {

KeyTroubles::KeyTroubles(const std::vector<std::string>& names) {
  for (const std::string& name : names) keys_.emplace_back().name = name;
}

bool KeyTroubles::note(std::size_t key, int status) {
  std::atomic<int>& known = keys_[key].status;
  const bool succeeded = status >= 200 && status < 300;
  if (succeeded && known.load(std::memory_order_relaxed) != 0) known = 0;
  return is_key_refused(status) && known.exchange(status) != status;
}

std::vector<KeyTrouble> KeyTroubles::now() const {
  std::vector<KeyTrouble> out;
  for (const Key& key : keys_)
    if (const int status = key.status; status != 0) out.push_back({key.name, status});
  return out;
}

}  // namespace tophand::backend
