// The end of a response whose last event has come: read, so that the connection is kept for the
// next request. Private to this room.
#pragma once

#include "net/client.h"
#include "net/http.h"

namespace tophand::backend {

// Reads what is behind the last event, for a moment: the answer is there, and its client waits for
// no server that is slow to end it. Whatever comes, and whatever fails, is nobody's concern.
void read_proper_end(net::ClientResponse& response, const net::Cancellation& client);

}  // namespace tophand::backend
