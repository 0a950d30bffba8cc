// Local models: HTTP with newline-delimited JSON over the Unix socket of an engine worker
// (docs/protocols/engine-worker.md). Waits for a worker that is loading or starting again; a worker
// that dies before its first event is waited for once more, one that dies later fails the answer.
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"
#include "backend/workers.h"
#include "net/client.h"

namespace tophand::backend {

class EngineBackend final : public Backend {
 public:
  // `workers` outlives this. `client`: what to send with; nullptr for one of its own.
  explicit EngineBackend(Workers& workers, std::unique_ptr<net::Client> client = nullptr);

  Report answer(const Call& call, Sink& sink, const net::Cancellation& client) override;
  Result<std::int64_t> count(const Call& call, const net::Cancellation& client) override;
  Result<chat::EmbeddingAnswer> embed(const std::string& model,
                                      const chat::EmbeddingRequest& request, net::Headers& kept,
                                      const net::Cancellation& client) override;

 private:
  struct Try;
  void try_once(const Call& call, const std::string& body, Try& attempt,
                const net::Cancellation& client);
  Result<chat::EmbeddingAnswer> embed_once(const std::string& model, const std::string& body,
                                           const net::Cancellation& client);

  Workers& workers_;
  std::unique_ptr<net::Client> client_;
};

}  // namespace tophand::backend
