// A request of any dialect, as an OpenAI-compatible server gets it.
#pragma once

#include <gtest/gtest.h>

#include <string_view>

#include "base/json.h"
#include "chat/dialect.h"
#include "chat/openai_upstream.h"

namespace tophand::chat {

inline Json written(Dialect dialect, std::string_view body, const OpenAiQuirks& quirks = {}) {
  const auto request = parse_request(dialect, body);
  EXPECT_TRUE(request.has_value()) << request.error().message;
  if (!request) return {};
  auto json = parse_json(write_openai_request(*request, "m1", quirks));
  EXPECT_TRUE(json.has_value());
  return json ? *json : Json();
}

}  // namespace tophand::chat
