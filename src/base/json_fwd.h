// The name of the JSON type, for headers: declares Json without the library behind it.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace tophand {

using Json = nlohmann::ordered_json;  // as base/json.h

}  // namespace tophand
