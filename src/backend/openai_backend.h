// Every server that speaks OpenAI's Chat Completions API, by the quirks of its kind. Holds no state
// of requests.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "backend/adapter.h"
#include "backend/openai_kinds.h"
#include "backend/server_door.h"
#include "backend/shown_again.h"

namespace tophand::backend {

// A request that went through this many gateways is not sent on to another: gateways that list each
// other would pass it around for ever.
inline constexpr int kHopsMax = 3;

class OpenAiBackend final : public Adapter {
 public:
  // `context_tokens`: of its models, where it is configured; 0: as the server says.
  OpenAiBackend(const OpenAiKind& kind, ServerDoor door, std::int64_t context_tokens = 0);

  Report answer(const Call& call, Sink& sink, const net::Cancellation& client) override;
  Result<std::int64_t> count(const Call& call, const net::Cancellation& client) override;
  Result<chat::EmbeddingAnswer> embed(const std::string& model,
                                      const chat::EmbeddingRequest& request, net::Headers& kept,
                                      const net::Cancellation& client) override;
  Result<Probed> probe(const net::Cancellation& stop) override;
  Result<> load(const std::string& model, const net::Cancellation& client) override;
  Result<> unload(const std::string& model, const net::Cancellation& client) override;

 private:
  bool is_tophand() const { return kind_.models == OpenAiKind::Models::kTophand; }
  Result<> ask_to(std::string_view path, const std::string& model, bool unload,
                  const net::Cancellation& client) const;
  Result<std::vector<ModelInfo>> list_models(const net::Cancellation& stop) const;
  chat::OpenAiQuirks quirks_for(const Call& call) const;

  const OpenAiKind& kind_;  // of the table
  chat::OpenAiQuirks quirks_;
  ServerDoor door_;
  const std::int64_t context_tokens_;
  mutable std::mutex mutex_;
  std::map<std::string, std::int64_t> contexts_;  // of the models at the last probe, where told
  ShownAgain shown_again_;
};

}  // namespace tophand::backend
