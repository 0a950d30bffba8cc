// A program of [[backends]]: a backend that can also be asked what it has and how it is. One object
// a configured backend; any thread may call.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "config/config.h"
#include "net/client.h"

namespace tophand::backend {

struct ModelInfo {
  std::string name;
  std::int64_t context_tokens = 0;  // prompt and answer together; 0: it does not say
  bool takes_images = false;
  bool can_think = true;         // false: it says that it cannot
  bool thinks_by_level = false;  // it can be told how much
  bool can_generate = true;      // false: an embedding model
};

struct Probed {
  std::vector<ModelInfo> models;
  std::string version = {};  // "" when it does not say
};

class Adapter : public Backend {
 public:
  // Cheap: no model runs for it. An error says what is wrong (not reachable, still loading, a
  // refused key). Takes a few seconds at most.
  virtual Result<Probed> probe(const net::Cancellation& stop) = 0;
  // A program that has no way to load ahead loads by itself, so there it does nothing.
  virtual Result<> load(const std::string& model, const net::Cancellation& client) = 0;
  // kInvalid, with what is so instead, where the program has no way to do it.
  virtual Result<> unload(const std::string& model, const net::Cancellation& client) = 0;
};

// kConfig when the URL or the key cannot be used. Talks to nobody yet. `client`: what to send with;
// nullptr for one of its own.
Result<std::unique_ptr<Adapter>> make_adapter(const config::BackendConfig& config,
                                              std::unique_ptr<net::Client> client = nullptr);

}  // namespace tophand::backend
