// OpenAI lets one request ask for several answers (Request::answers): `n` of them, in the legacy
// Completions API to each of an array of prompts. Here each is a request of its own; this takes
// such a body apart and puts whole answers together. Streamed ones are written into one stream as
// they come (dialect.h, SharedStream). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json_fwd.h"
#include "base/result.h"

namespace tophand::chat {

// The body that asks for the answer `index` alone, 0 <= index < Request::answers. `body` is one
// that parse_request has accepted. Answers to one prompt differ in their seed where one is given.
std::string one_of_several(const Json& body, std::int64_t index);

// Adds what write_answer made of the next of them to `all`, which is null before the first. Usage
// is the sum, as each of them has read its prompt. kBug for other bytes.
Result<> add_answer(Json& all, std::string_view answer);

}  // namespace tophand::chat
