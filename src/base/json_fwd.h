// The name of the JSON type, for headers: declares Json without the library behind it; and what is
// too much of it.
#pragma once

#include <cstddef>

#include <nlohmann/json_fwd.hpp>

namespace tophand {

using Json = nlohmann::ordered_json;  // as base/json.h

struct JsonLimits {
  std::size_t bytes_max = 64u << 20;
  std::size_t depth_max = 64;
  // Members of one object. ordered_json searches an object's members one by one, so reading n of
  // them takes n^2 steps: 40,000 keys (450 KB) took 3.4 s, and a 32 MB body would take hours.
  std::size_t members_max = 1024;
};

}  // namespace tophand
