// The one door to the JSON library. nlohmann::ordered_json keeps key order, which tool schemas and
// templates need. Its dump() recurses and crashes on deep nesting, so depth and size are bounded
// before parsing. Heavy header: include it from .cc files only; json_fwd.hpp in headers.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/json_fwd.h"
#include "base/result.h"

namespace tophand {

// Parses one JSON value. kInvalid with the byte offset when it is malformed, kTooLarge over the
// limit of bytes, kInvalid over the others.
Result<Json> parse_json(std::string_view text, JsonLimits limits = {});
// `may_repeat`: false where it is sure that no key of the outermost object stands there twice.
Result<Json> parse_json(std::string_view text, bool& may_repeat, JsonLimits limits = {});

// Compact text. Invalid UTF-8 becomes U+FFFD instead of an exception.
std::string dump_json(const Json& value);

// Readers that never throw: nullptr / fallback when the key is missing or of another type.
const Json* find_key(const Json& object, std::string_view key);
Json* find_key(Json::object_t& members, std::string_view key);
std::string_view string_or(const Json& object, std::string_view key, std::string_view fallback);
std::int64_t int_or(const Json& object, std::string_view key, std::int64_t fallback);
double number_or(const Json& object, std::string_view key, double fallback);
bool bool_or(const Json& object, std::string_view key, bool fallback);

}  // namespace tophand
