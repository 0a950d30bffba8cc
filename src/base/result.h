// Errors as values. One closed list of codes; each code fixes its HTTP status, exit code and
// whether a caller may retry, so that no other file decides that again.
//
// Exit codes follow the command line's contract: 0 done, 1 the work failed, 2 wrong use or
// configuration, 3 nothing to do it with (no model, no backend, no gateway).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>  // Debian 12: libexpected-dev 1.0.0. Becomes std::expected with C++23.

namespace tophand {

enum class Code : std::uint8_t {
  kInvalid,        // the request, file or flag is wrong; sending it again will not help
  kConfig,         // the configuration is wrong
  kUnauthorized,   // no key, or a wrong one
  kForbidden,      // the key is right, the thing asked for is not allowed
  kNotFound,       // unknown model, route, file
  kConflict,       // already exists, or changed meanwhile
  kTooLarge,       // over a documented limit
  kBudget,         // would overrun a spending cap
  kExhausted,      // rate limit or queue full; retry later
  kUnavailable,    // nothing to do it with: no backend, worker or gateway
  kUpstream,       // a backend answered with an error of its own
  kDeadline,       // ran out of time
  kCancelled,      // the caller went away
  kCorrupt,        // stored data is damaged
  kIo,             // disk or socket failed
  kBug,            // a broken invariant
  kMisdirected,    // the Host header names another server
  kPromptTooLong,  // the prompt does not fit this model's context; another model's may hold it
};

struct CodeInfo {
  Code code;
  std::string_view name;  // stable: appears in JSON bodies, metrics and logs
  int http_status;
  int exit_code;
  bool retryable;
};

inline constexpr std::array kCodes{
    CodeInfo{Code::kInvalid, "invalid_request", 400, 2, false},
    CodeInfo{Code::kConfig, "invalid_config", 500, 2, false},
    CodeInfo{Code::kUnauthorized, "unauthorized", 401, 2, false},
    CodeInfo{Code::kForbidden, "forbidden", 403, 2, false},
    CodeInfo{Code::kNotFound, "not_found", 404, 3, false},
    CodeInfo{Code::kConflict, "conflict", 409, 1, false},
    CodeInfo{Code::kTooLarge, "too_large", 413, 2, false},
    CodeInfo{Code::kBudget, "budget_exceeded", 402, 1, false},
    CodeInfo{Code::kExhausted, "rate_limited", 429, 1, true},
    CodeInfo{Code::kUnavailable, "unavailable", 503, 3, true},
    CodeInfo{Code::kUpstream, "upstream_error", 502, 1, true},
    CodeInfo{Code::kDeadline, "deadline_exceeded", 504, 1, true},
    CodeInfo{Code::kCancelled, "cancelled", 499, 1, false},
    CodeInfo{Code::kCorrupt, "corrupt_data", 500, 1, false},
    CodeInfo{Code::kIo, "io_error", 500, 1, false},
    CodeInfo{Code::kBug, "internal", 500, 1, false},
    CodeInfo{Code::kMisdirected, "misdirected_request", 421, 2, false},
    CodeInfo{Code::kPromptTooLong, "prompt_too_long", 400, 2, false},
};

constexpr const CodeInfo& info(Code code) {
  return kCodes[static_cast<std::size_t>(code)];
}

consteval bool codes_are_in_order() {
  for (std::size_t i = 0; i < kCodes.size(); ++i)
    if (static_cast<std::size_t>(kCodes[i].code) != i) return false;
  return true;
}
static_assert(codes_are_in_order());

// What an error is about, where more than its code hangs on that.
enum class About : std::uint8_t {
  kOther,
  kAbility,  // with kInvalid: this model or server does not do it, another one may
  // with kNotFound, as clients are told by more than the code:
  kModel,
  kThread,            // a conversation that the server was to hold (Messages)
  kPreviousResponse,  // that a request continues (Responses)
  kStoredResponse,
  kStoredItem,
};

struct Error {
  Code code = Code::kBug;
  std::string message;  // lower case, no full stop; what was expected, what was found, what to do
  About about = About::kOther;
  std::string field = {};  // of a request: the one that is wrong, "messages[2].content"
  std::string word = {};   // what a provider calls it: "unsupported_value", "" mostly

  // Adds the caller's view in front: "load model: open weights.gguf: no such file".
  Error within(std::string_view step) && {
    message.insert(0, std::string(step) + ": ");
    return std::move(*this);
  }
};

// Result<T> is a T or an Error. Ignoring one is a compile error (-Werror=unused-result).
template <class T = void>
struct [[nodiscard]] Result : tl::expected<T, Error> {
  using tl::expected<T, Error>::expected;
};

inline tl::unexpected<Error> fail(Code code, std::string message, About about = About::kOther) {
  return tl::unexpected<Error>(Error{code, std::move(message), about});
}

// A field of a request is wrong: "FIELD: WHY".
inline tl::unexpected<Error> fail_field(std::string field, std::string_view why) {
  Error error{Code::kInvalid, field, About::kOther, std::move(field)};
  error.message.append(": ").append(why);
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace tophand

// TOPHAND_TRY(value, "step", call()) declares `value`, or returns the error with `step` in front.
#define TOPHAND_TRY(name, step, expr)                                               \
  auto name##_or = (expr);                                                          \
  if (!name##_or) return tl::unexpected(std::move(name##_or).error().within(step)); \
  auto& name = *name##_or  // NOLINT(bugprone-macro-parentheses): the name of a declaration

// TOPHAND_CHECK("step", call()) is the same for Result<>.
#define TOPHAND_CHECK(step, expr)                                      \
  do {                                                                 \
    if (auto checked_ = (expr); !checked_)                             \
      return tl::unexpected(std::move(checked_).error().within(step)); \
  } while (false)
