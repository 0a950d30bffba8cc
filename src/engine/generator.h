// One request from conversation to events: chat template, tokens, prefix reuse, prefill, decoding,
// stop strings, thoughts, tool calls. Knows the model only as a Session and a Tokenizer, so that
// tests can script both. generate() is for one thread at a time; prompt() may be called beside it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "chat/conversation.h"
#include "chat/events.h"
#include "engine/session.h"
#include "text/answer_parser.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace tophand::engine {

// Limits of one request; beyond them it is refused (kInvalid).
inline constexpr std::size_t kStopStringsMax = 64;
inline constexpr std::size_t kStopBytesMax = 4096;

class Generator {
 public:
  // All of these outlive the generator.
  struct Parts {
    Session& session;
    const text::Tokenizer& tokenizer;
    Result<text::TemplateKind> chat_template;  // an error is given to whoever needs a template
    std::string model;                         // named in Started
    const Clock& clock;
  };
  explicit Generator(Parts parts) : parts_(std::move(parts)) {}

  // The tokens of the whole prompt, template and BOS included. kInvalid: no messages, no template.
  Result<std::vector<text::TokenId>> prompt(const chat::Request& request) const;

  // Gets every event in order. False: the client has gone, stop.
  using Sink = std::function<bool(const chat::StreamEvent&)>;
  // Asked before every decode step and between prefill chunks. True: stop.
  using Cancelled = std::function<bool()>;

  // An error means that no event was sent: kInvalid, or kPromptTooLong with the numbers when the
  // prompt does not fit the context. Later failures are a Failed event; Started comes first,
  // Finished or Failed last. The cache keeps what was run for the next request that begins alike.
  Result<> generate(const chat::Request& request, const Cancelled& cancelled, const Sink& sink);

  // Somebody else has used the session: what its cache holds is no longer known here.
  void forget() { cached_.clear(); }

 private:
  struct Run;
  Result<> check(const chat::Request& request, std::size_t prompt_tokens) const;
  std::optional<text::AnswerParser> parser_for(const chat::Request& request) const;
  void read_template(Run& run) const;
  std::string piece(Run& run, text::TokenId token) const;
  std::int64_t reuse_prefix(const std::vector<text::TokenId>& tokens);
  Result<> prefill(Run& run);
  void decode(Run& run);

  Parts parts_;
  std::vector<text::TokenId> cached_;  // what the session's cache holds, one a position
};

}  // namespace tophand::engine
