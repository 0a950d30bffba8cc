// Embeddings of one request: a ledger row, the backend's answer, the row settled. One backend, no
// second try: nothing is spent, and the client may ask again.
#pragma once

#include <string>

#include "backend/backend.h"
#include "base/clock.h"
#include "base/result.h"
#include "chat/embedding.h"
#include "ledger/ledger.h"
#include "net/http.h"
#include "policy/policy.h"

namespace tophand::dispatch {

struct EmbeddingJob {  // pointers outlive the call
  std::string request_id, key_id, dialect;
  const chat::EmbeddingRequest* request = nullptr;
  policy::Target target;
  std::string reason;
  backend::Backend* backend = nullptr;
};

// The vectors as the model gives them. A row of class "embedding" (or what the caller declared) is
// written in any case.
Result<chat::EmbeddingAnswer> run_embedding(ledger::Ledger& ledger, const Clock& clock,
                                            const EmbeddingJob& job,
                                            const net::Cancellation& client);

}  // namespace tophand::dispatch
