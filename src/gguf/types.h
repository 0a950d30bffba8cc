// Names of the tensor types other programs write, so that a file we do not run is refused by name.
#pragma once

#include <cstdint>
#include <string>

namespace tophand::gguf {

// "IQ4_XS, which this engine does not run; Ollama or llama-server runs it", for any type id that
// kernels::encoding_from_ggml_type does not know.
std::string describe_unsupported_type(std::uint32_t ggml_type);

}  // namespace tophand::gguf
