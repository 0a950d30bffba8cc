// Bounds on what a GGUF file may claim. Real files stay far below; a file beyond one is refused
// before anything is allocated for it.
#pragma once

#include <cstdint>

namespace tophand::gguf {

inline constexpr std::uint64_t kKeyBytesMax = 65'535;        // the format's own limit
inline constexpr std::uint64_t kStringBytesMax = 16u << 20;  // chat templates are < 100 KiB
inline constexpr std::uint64_t kArrayCountMax = 1u << 24;    // vocabularies are < 300,000
inline constexpr std::uint64_t kMetadataCountMax = 4'096;    // files in use have < 100
inline constexpr std::uint64_t kTensorCountMax = 65'536;     // files in use have < 2,000
inline constexpr std::uint64_t kTensorNameBytesMax = 63;     // ggml: GGML_MAX_NAME - 1
inline constexpr std::uint32_t kDimensionCountMax = 4;
inline constexpr std::uint64_t kAlignmentDefault = 32;
inline constexpr std::uint64_t kAlignmentMin = 8;
inline constexpr std::uint64_t kAlignmentMax = 65'536;

}  // namespace tophand::gguf
