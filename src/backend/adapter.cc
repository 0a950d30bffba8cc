#include "backend/adapter.h"

#include <utility>

#include "backend/ollama_backend.h"
#include "backend/openai_backend.h"

namespace tophand::backend {

Result<std::unique_ptr<Adapter>> make_adapter(const config::BackendConfig& config,
                                              std::unique_ptr<net::Client> client) {
  TOPHAND_TRY(door, "backends." + config.name, ServerDoor::open(config, std::move(client)));
  if (config.kind == "ollama")
    return std::unique_ptr<Adapter>(std::make_unique<OllamaBackend>(config, std::move(door)));
  const OpenAiKind* kind = find_openai_kind(config.kind);
  if (kind == nullptr)
    return fail(Code::kConfig, "backends." + config.name + ": no adapter for " + config.kind);
  return std::unique_ptr<Adapter>(
      std::make_unique<OpenAiBackend>(*kind, std::move(door), config.context_tokens));
}

}  // namespace tophand::backend
