// Names of the tensor types other programs write, so that a file we do not run is refused by name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tophand::gguf {

// "IQ4_XS, which this engine does not run; Ollama or llama-server runs it", for any type id that
// kernels::encoding_from_ggml_type does not know. `architecture` (general.architecture, "" when
// unknown) decides about ids that bitnet.cpp and ggml both gave away.
std::string describe_unsupported_type(std::uint32_t ggml_type, std::string_view architecture);

// A name from a file as it may go into messages and logs: cut, and '?' for all but plain ASCII.
std::string quoted(std::string_view name);

}  // namespace tophand::gguf
