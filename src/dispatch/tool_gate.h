// Checks a local model's tool calls and JSON before the client gets them, and asks the model once
// more when they are broken. docs/tools.md says what is checked and what it costs. Private to
// dispatch/.
#pragma once

#include "backend/backend.h"

namespace tophand::dispatch {

// Text before a tool call is held back up to here, so that an answer that begins with a sentence
// and breaks its call can still be mended or handed up unseen. What a client waits longer for its
// first word when a request has tools: docs/tools.md.
inline constexpr std::size_t kOpeningBytes = 512;

// backend.answer(), for a local backend. A request without tools that asks for no JSON passes
// through as it comes. Otherwise calls and JSON reach the sink whole and checked, at the end of the
// answer. After two broken answers: End::kFailed with Report::unable, and nothing of them has
// reached the sink unless more than kOpeningBytes of text stood before the call. Report::usage is
// the sum of both tries; the client's Finished has the second one's, which is what its context
// meter wants.
backend::Report answer_checked(backend::Backend& backend, const backend::Call& call,
                               backend::Sink& sink, const net::Cancellation& client);

}  // namespace tophand::dispatch
