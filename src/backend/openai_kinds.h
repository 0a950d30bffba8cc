// The OpenAI-compatible servers we know, as a table: what each wants otherwise than another.
// docs/backends.md is this table in words, with where each row comes from.
#pragma once

#include <cstdint>
#include <string_view>

#include "chat/openai_upstream.h"

namespace tophand::backend {

struct OpenAiKind {
  // How it says what can be asked of it.
  enum class Models : std::uint8_t {
    kList,         // all of /v1/models
    kLlamaServer,  // and /props: the context it was started with, whether it takes images
    kLoaded,       // the one that is loaded: it answers with that whatever it is asked for
    kTophand,      // those of its own engine: its other names lead on to further machines
  };
  enum class Count : std::uint8_t {
    kNone,         // it has no way
    kLlamaServer,  // /apply-template, then /tokenize
    kVllm,         // /tokenize takes messages
    kMessages,     // /v1/messages/count_tokens
  };
  std::string_view name;
  chat::OpenAiQuirks quirks = {};
  std::string_view health = {};  // answers 2xx while it can work; "": the list of models must do
  Models models = Models::kList;
  Count count = Count::kNone;
  std::string_view load = {}, unload = {};  // paths; "": no way
  std::string_view model_field = "model";   // of their bodies
  std::string_view without_load = {};       // what to do instead
};

const OpenAiKind* find_openai_kind(std::string_view name);  // nullptr: none of that name

}  // namespace tophand::backend
