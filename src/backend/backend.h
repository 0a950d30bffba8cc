// Everything that can answer a request: the engine worker, the Claude API, a fake in a test. A
// backend turns one Call into events (or, for Claude and the Messages dialect, into the provider's
// own bytes) and a Report of how it ended. Backends hold no per-request state: any thread may call.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "chat/conversation.h"
#include "chat/embedding.h"
#include "chat/events.h"
#include "chat/upstream.h"
#include "net/http.h"
#include "policy/provider_limit.h"

namespace tophand::backend {

// Counts the gateways a request came through.
inline constexpr std::string_view kHopsHeader = "x-tophand-hops";

// One attempt. The views and pointers outlive answer().
struct Call {
  const chat::Request* request = nullptr;
  std::string model;               // that should answer: an installed model, or a Claude model
  std::string_view raw_body = {};  // a Messages body to forward byte for byte; empty: translate
  std::string query = {};          // of the client's request, forwarded with raw_body
  net::Headers forward = {};       // anthropic-version and anthropic-beta, as the client sent them
  chat::ClaudeWording wording = {};  // of a request that is written anew for the Messages API
  int hops = 0;                      // gateways it came through before this one
  // The answer as events even to a raw_body: the client's stream has begun in our own words.
  bool as_events = false;
  // The provider was asked already for the same request: one key of several is enough this time.
  bool again = false;
  // Work that nobody waits for, to be done while the backend works; perhaps more than once, or
  // never. May be empty.
  std::function<void()> meanwhile = {};
};

// Where an answer goes. Every method returns an error (kCancelled) once the client has gone; the
// backend then stops. Called from one thread.
class Sink {
 public:
  virtual ~Sink() = default;
  // Progress: it is being got ready; of what is passed on, that the provider is not asked yet.
  virtual Result<> event(const chat::StreamEvent& event) = 0;
  // From true to false, the events came together: what they are written as may be sent together.
  virtual void together(bool) {}
  // Pass-through only. head() comes once, with a 2xx status, before raw(). `bytes` are whole SSE
  // events (or, not streamed, the whole body), `meaning` what they say.
  virtual Result<> head(int status, const net::Headers& kept, std::string_view content_type) = 0;
  virtual Result<> raw(std::string_view bytes, const std::vector<chat::StreamEvent>& meaning) = 0;
};

enum class End : std::uint8_t {
  kFinished,
  kRefused,    // a definite no: nothing was done, nothing is charged
  kFailed,     // broke on the way: what was done may be charged
  kCancelled,  // the client went away
};

struct Report {
  End end = End::kFailed;
  std::optional<chat::Failed> failure = {};  // with kRefused and kFailed
  chat::Usage usage = {};
  bool usage_known = false;       // the input side at least
  bool usage_final = false;       // the whole, from the provider
  bool sent = false;              // the request may have reached the provider
  bool told_client = false;       // the failure is already in the bytes that were forwarded
  std::int64_t output_bytes = 0;  // of content, as far as seen
  chat::Timing timing = {};
  int status = 0;          // of the upstream's refusal, 0 when there was none
  std::string key = {};    // the name of the key that was used, where there are several
  net::Headers kept = {};  // retry-after, request-id, anthropic-ratelimit-*
  std::vector<policy::ProviderLimit> limits = {};  // of the account, as the provider told them
  std::string raw_error = {};  // the refusal's body, when it may be forwarded unchanged
  bool unable = false;         // a local model tried twice: another one has to do it
  std::string note = {};       // for the ledger: what happened on the way
  std::string gate = {};       // what a gate said of the answer: "passed", "mended", "failed"
  std::string rejected = {};   // the answer that a gate threw out
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual Report answer(const Call& call, Sink& sink, const net::Cancellation& client) = 0;
  // Input tokens, as this backend counts them.
  virtual Result<std::int64_t> count(const Call& call, const net::Cancellation& client) = 0;
  // The inputs' vectors as the model gives them, in their order. kInvalid: it has none to give.
  // `kept`: gets what a refusal says about asking again, as Report::kept.
  virtual Result<chat::EmbeddingAnswer> embed(const std::string& model,
                                              const chat::EmbeddingRequest& request,
                                              net::Headers& kept, const net::Cancellation& client);
};

// --- helpers for implementations -----------------------------------------------------------------

Report refused(Error error, std::string upstream_type = "");
// kCancelled becomes End::kCancelled, everything else End::kFailed.
void end_with(Report& report, Error error);
// Updates usage, timing, output_bytes and end by one event that came from upstream.
void note(Report& report, const chat::StreamEvent& event);

}  // namespace tophand::backend
