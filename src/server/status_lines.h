// The progress of a long piece of work in Ollama's form: a JSON object a line, the last
// {"status":"success"} or {"error":"..."}; or, not streamed, that last one alone.
#pragma once

#include <string_view>

#include "base/json_fwd.h"
#include "base/result.h"
#include "server/routes.h"

namespace tophand::server {

class StatusLines {
 public:
  enum class Form : std::uint8_t { kStreamed, kLastOnly };
  StatusLines(Exchange& exchange, Form form) : exchange_(exchange), form_(form) {}

  void say(std::string_view status);
  void put(const Json& line);
  // One of these ends it. An error before the first line has its own HTTP status.
  void succeed();
  void fail(const Error& error);

 private:
  Exchange& exchange_;
  Form form_;
};

}  // namespace tophand::server
