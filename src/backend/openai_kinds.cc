#include "backend/openai_kinds.h"

#include <algorithm>
#include <array>

namespace tophand::backend {
namespace {

using Thinking = chat::OpenAiQuirks::Thinking;
using GoingOn = chat::OpenAiQuirks::GoingOn;

constexpr std::array kKinds{
    OpenAiKind{.name = "llama-server",
               .quirks = {.thinking = Thinking::kTemplateKwargs,
                          .repeat_penalty = "repeat_penalty",
                          .named_tool_choice = false,
                          .says_parallel_calls = true,
                          .reasoning_back = chat::OpenAiQuirks::ReasoningBack::kAlways},
               .health = "/health",
               .models = OpenAiKind::Models::kLlamaServer,
               .count = OpenAiKind::Count::kLlamaServer,
               .load = "/models/load",
               .unload = "/models/unload",
               .without_load = "this llama-server has one model, from its start to its end"},
    OpenAiKind{
        .name = "localai",
        .quirks = {.repeat_penalty = "repeat_penalty"},
        .health = "/readyz",
        .load = "/backend/load",
        .unload = "/backend/shutdown",
        .without_load =
            "LocalAI loads a model at its first request, and this version has no way to unload it"},
    OpenAiKind{.name = "text-generation-webui",
               .quirks = {.thinking = Thinking::kTopLevel,
                          .max_tokens_default = 4096,  // its own is 512
                          .repeat_penalty = "repetition_penalty",
                          .response_format = false,
                          .named_tool_choice = false,
                          .going_on = GoingOn::kContinue},
               .health = "/v1/internal/health",
               .models = OpenAiKind::Models::kLoaded,
               .load = "/v1/internal/model/load",
               .unload = "/v1/internal/model/unload",
               .model_field = "model_name"},
    OpenAiKind{.name = "vllm",
               .quirks = {.thinking = Thinking::kTemplateKwargs,
                          .repeat_penalty = "repetition_penalty",
                          .going_on = GoingOn::kTemplate},
               .health = "/health",
               .count = OpenAiKind::Count::kVllm,
               .without_load = "vLLM has its models from its start to its end"},
    OpenAiKind{.name = "openai",
               .quirks = {.system_anywhere = true},
               .without_load = "the API has no way to load or unload"},
    OpenAiKind{.name = "tophand",
               .quirks = {.thinking = Thinking::kEffort,
                          .repeat_penalty = "repetition_penalty",
                          .system_anywhere = true},
               .health = "/healthz",
               .models = OpenAiKind::Models::kTophand,
               .count = OpenAiKind::Count::kMessages,
               .load = "/api/generate",
               .unload = "/api/generate"},
};

}  // namespace

const OpenAiKind* find_openai_kind(std::string_view name) {
  const auto* found = std::ranges::find(kKinds, name, &OpenAiKind::name);
  return found == kKinds.end() ? nullptr : found;
}

}  // namespace tophand::backend
