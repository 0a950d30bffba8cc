// Claude's prompt cache for requests that are written anew: the marks (`cache_control`) that
// clients of other dialects send, as those of OpenRouter and LiteLLM do, and our own where they
// send none. docs/protocols/anthropic-messages.md, "The prompt cache". Pure.
#pragma once

#include "base/json_fwd.h"
#include "base/json_view.h"
#include "chat/conversation.h"

namespace tophand::chat {

// The holder's `cache_control`. A lifetime that is not known counts as the longest.
CacheMark read_cache_mark(JsonView holder);

// The holder's mark, which is noted in the request's billing.
CacheMark take_cache_mark(JsonView holder, Request& request);
// The same, put on the block: where the holder has none, the block keeps its own. Thinking has
// none.
void take_cache_mark(JsonView holder, Block& block, Request& request);

// Adds `cache_control` to an object; nothing for kNone.
void write_cache_mark(CacheMark mark, Json& object);

// The mark at the ends of a request's prompt: its client's for the whole; else, where ours are
// `wanted`, five minutes if it will be sent again with more behind it (a conversation's later turn,
// an agent's with tools) and is long enough to be kept. None is dearer than it and the client's.
CacheMark mark_of_ends(const Request& request, bool wanted);

// On the body for the Messages API that the request has become, with its client's marks where there
// are places for them: that mark, ours if none of the client's are there, at the end of what stays
// the same between an agent's requests (system text and tools), of the last message, and of the
// user's message before, where the request before this one ended: the API looks for an entry 20
// blocks back only. Of more than four marks the last four stay, as the API takes no more.
void place_cache_marks(const Request& request, bool wanted, Json& body);

}  // namespace tophand::chat
