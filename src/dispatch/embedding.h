// Embeddings of one request: of the targets, which all have the same model, the first that is well
// and has room is asked; another one when it fails. A row in the ledger each time. Private to
// dispatch/, but for the job and its outcome.
#pragma once

#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/result.h"
#include "chat/embedding.h"
#include "net/http.h"
#include "policy/policy.h"

namespace tophand::dispatch {

struct Deps;
struct Shared;

struct EmbeddingJob {  // pointers outlive the call
  std::string request_id, key_id, dialect;
  const chat::EmbeddingRequest* request = nullptr;
  std::vector<policy::Target> targets;  // in order; at least one
  std::string reason;
};

struct EmbeddingOutcome {
  Result<chat::EmbeddingAnswer> answer;  // the vectors as the model gives them
  policy::Target target;                 // that gave them, or was asked last
  net::Headers kept = {};                // what it says about asking again
};

// A row of class "embedding" (or what the caller declared) is written for each attempt.
EmbeddingOutcome run_embedding(const Deps& deps, Shared& shared, const EmbeddingJob& job,
                               const net::Cancellation& client);

}  // namespace tophand::dispatch
