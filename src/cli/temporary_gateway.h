// A gateway that lives as long as one command: started when none runs, stopped at the end.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "base/result.h"
#include "config/config.h"

namespace tophand::cli {

// True when a gateway answers GET /healthz at `url` within a second.
bool answers_health(const std::string& url);

class TemporaryGateway {
 public:
  // Runs this program's own `serve` on a free port and waits until it answers. Its log goes to
  // DATA/run/temporary-gateway.log, whose end is in the error when it does not come up.
  static Result<std::unique_ptr<TemporaryGateway>> start(const config::Paths& paths);
  ~TemporaryGateway();  // SIGTERM, then waits
  TemporaryGateway(const TemporaryGateway&) = delete;
  TemporaryGateway& operator=(const TemporaryGateway&) = delete;
  const std::string& url() const { return url_; }

 private:
  TemporaryGateway(pid_t child, std::string url) : child_(child), url_(std::move(url)) {}
  pid_t child_;
  std::string url_;
};

}  // namespace tophand::cli
