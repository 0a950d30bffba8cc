// What of a response is read although nobody waits for it long: the end behind an answer's last
// event, and the words of a refusal. Private to this room.
#pragma once

#include <optional>
#include <string>

#include "net/client.h"
#include "net/http.h"

namespace tophand::backend {

// Reads what is behind the last event, for a moment, so that the connection is kept for the next
// request: the answer is there, and its client waits for no server that is slow to end it. Whatever
// comes, and whatever fails, is nobody's concern.
void read_proper_end(net::ClientResponse& response, const net::Cancellation& client);

// The body of a refusal. Nothing where it is not there within a second and a half, too long or cut
// short: the status has said no, and the next backend is not kept waiting for words.
std::optional<std::string> read_refusal_body(net::ClientResponse& response,
                                             const net::Cancellation& client);

}  // namespace tophand::backend
