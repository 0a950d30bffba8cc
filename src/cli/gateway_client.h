// How the commands that need answers reach a gateway: the one that runs (found by TOPHAND_URL and
// TOPHAND_KEY, or by the files it leaves in DATA/run), or one started for as long as it is needed.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/command.h"
#include "config/config.h"
#include "net/client.h"

namespace tophand::cli {

struct ChatMessage {
  std::string role, text;
};

struct ChatCall {
  std::string model = "auto";
  std::string priority;    // "" | "low" | "high"
  std::string task_class;  // "git_commit", "qa", ...
  std::vector<ChatMessage> messages;
  std::int64_t max_tokens = 1024;
  double temperature = -1;  // < 0: the model's default
  std::vector<std::string> stop = {};
};

struct ChatOutcome {
  std::string text;
  std::string finish_reason;           // "stop", "length", ...
  std::string backend, model, reason;  // from the x-tophand-* headers
  std::string request_id;              // names the attempt's rows in the ledger
  std::int64_t input_tokens = 0, output_tokens = 0;
  std::int64_t first_token_ms = 0, duration_ms = 0;
};

// The body of the request that chat() sends: OpenAI chat completions, streamed.
std::string chat_body(const ChatCall& call);

// Where a gateway is, or was when it wrote its address down.
struct GatewayAddress {
  std::string url = {};  // "": none has run here
  std::string key = {};  // "": none is known that may be shown to this gateway
  bool named = false;    // by TOPHAND_URL
};
// TOPHAND_URL and TOPHAND_KEY, else what the gateway of `data_dir` left in DATA/run. Its key goes
// to it and to addresses of this machine only: TOPHAND_URL may name a stranger's.
GatewayAddress gateway_address(const config::Environment& env, const std::string& data_dir);

class GatewayClient {
 public:
  virtual ~GatewayClient() = default;

  // kUnavailable when none runs and none could be started; the message says what to do. Says on
  // io.err when it starts one, and stops that one when destroyed.
  enum class IfMissing : std::uint8_t { kStart, kFail };
  static Result<std::unique_ptr<GatewayClient>> connect(Io& io, const Arguments& args,
                                                        IfMissing if_missing);

  // Nothing is sent yet. kInvalid where the address is none.
  static Result<std::unique_ptr<GatewayClient>> at(const GatewayAddress& address);

  // on_text gets each piece as it comes. `cancel` may be null.
  virtual Result<ChatOutcome> chat(const ChatCall& call,
                                   const std::function<void(std::string_view)>& on_text,
                                   const net::Cancellation* cancel) = 0;
  virtual Result<std::string> get(std::string_view path) = 0;
  virtual Result<std::string> post(std::string_view path, std::string_view json) = 0;
  virtual const std::string& url() const = 0;
};

// Set by Ctrl-C while it lives: one generation can be stopped without ending the program.
class InterruptScope : public net::Cancellation {
 public:
  // `also`: further signals that count as one, for work that leaves a file behind when it is
  // killed.
  explicit InterruptScope(std::initializer_list<int> also = {});
  ~InterruptScope() override;
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;
  bool cancelled() const override;
  Signs signs() const override;
  void reset();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The flags every such command takes: --data, --config.
extern const Flag kDataFlag, kConfigFlag;

}  // namespace tophand::cli
