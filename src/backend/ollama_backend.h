// Ollama over its native API. Remembers, from probes, what each model can do: a model that cannot
// think refuses to be asked, and the length of the context has to be said with every request.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "backend/adapter.h"
#include "backend/server_door.h"

namespace tophand::backend {

class OllamaBackend final : public Adapter {
 public:
  OllamaBackend(const config::BackendConfig& config, ServerDoor door);

  Report answer(const Call& call, Sink& sink, const net::Cancellation& client) override;
  Result<std::int64_t> count(const Call& call, const net::Cancellation& client) override;
  Result<chat::EmbeddingAnswer> embed(const std::string& model,
                                      const chat::EmbeddingRequest& request, net::Headers& kept,
                                      const net::Cancellation& client) override;
  Result<Probed> probe(const net::Cancellation& stop) override;
  Result<> load(const std::string& model, const net::Cancellation& client) override;
  Result<> unload(const std::string& model, const net::Cancellation& client) override;

 private:
  struct Known {
    std::string digest;
    ModelInfo info;
  };
  ModelInfo info_of(const std::string& model) const;
  Result<ModelInfo> show(const std::string& model, const net::Cancellation& stop) const;
  std::int64_t context_for(const ModelInfo& info) const;
  Result<> ask_to_keep(const std::string& model, int keep_alive,
                       const net::Cancellation& client) const;

  ServerDoor door_;
  std::int64_t context_tokens_;  // configured; 0: not
  mutable std::mutex mutex_;
  std::map<std::string, Known> known_;  // by name; guarded by mutex_
};

}  // namespace tophand::backend
