// Anthropic's Message Batches API: many requests at half the price, answered within a day. Blocking
// calls; any thread. Source: the API reference, "Message Batches"
// (https://docs.claude.com/en/api/creating-message-batches and its neighbours).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "chat/events.h"
#include "config/config.h"
#include "net/client.h"

namespace tophand::backend {

inline constexpr std::size_t kBatchItemsMax = 100;              // ours; the API takes 100,000
inline constexpr std::size_t kBatchBytesMax = 64U << 20;        // ours; the API takes 256 MB
inline constexpr std::size_t kBatchResultBytesMax = 64U << 20;  // of one line

struct BatchItem {
  std::string custom_id;  // letters, digits, '_', '-', at most 64
  std::string params;     // a Messages body without "stream"
};

struct BatchState {
  std::string id;
  bool ended = false;
  std::int64_t items = 0;  // in whatever state
  std::int64_t succeeded = 0;
  std::int64_t created_ms = 0;
};

struct BatchResult {
  enum class Type : std::uint8_t {
    kSucceeded,
    kErrored,
    kCanceled,
    kExpired
  } type = Type::kExpired;
  std::string custom_id = {};
  std::string message = {};   // of kSucceeded: a whole Messages answer, as JSON
  chat::Failed failure = {};  // of kErrored
};

// kUpstream for what is none of these.
Result<BatchState> parse_batch(std::string_view json);
Result<std::vector<BatchState>> parse_batch_list(std::string_view json);
Result<BatchResult> parse_batch_result(std::string_view line);
std::string write_batch(const std::vector<BatchItem>& items);

class ClaudeBatches {
 public:
  struct Options {
    std::string base_url, ca_file;
    config::ClaudeKey key;  // a batch belongs to its key's workspace
    int timeout_ms = 60'000;
  };
  static Result<std::unique_ptr<ClaudeBatches>> create(Options options);

  // kUnavailable, and the codes of refusals: it was not created. Another error: it may have been.
  Result<BatchState> send(const std::vector<BatchItem>& items,
                          const net::Cancellation* cancel) const;
  Result<BatchState> find(const std::string& id, const net::Cancellation* cancel) const;
  // The latest hundred.
  Result<std::vector<BatchState>> latest(const net::Cancellation* cancel) const;
  Result<> stop(const std::string& id, const net::Cancellation* cancel) const;
  // Calls `each` for every result of a batch that has ended, until it fails.
  Result<> results(const std::string& id, const std::function<Result<>(BatchResult)>& each,
                   const net::Cancellation* cancel) const;

 private:
  ClaudeBatches(Options options, net::Endpoint endpoint);
  Result<std::unique_ptr<net::ClientResponse>> ask(net::Client& client, const char* method,
                                                   const std::string& path, std::string_view body,
                                                   const net::Cancellation* cancel) const;
  Result<std::string> ask_whole(const char* method, const std::string& path,
                                const net::Cancellation* cancel) const;

  const Options options_;
  const net::Endpoint endpoint_;
  const std::unique_ptr<net::Client> client_;
};

// Whether an error of send() says that nothing was created.
bool was_refused(const Error& error);

}  // namespace tophand::backend
