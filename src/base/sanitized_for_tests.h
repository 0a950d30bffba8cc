// TOPHAND_SANITIZED: built for a sanitizer with an allocator of its own, so that what the process
// holds of memory says nothing.
#pragma once

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TOPHAND_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TOPHAND_SANITIZED
#endif
