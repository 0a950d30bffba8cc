#include "gguf/types.h"

#include <string_view>

namespace tophand::gguf {
namespace {

constexpr std::string_view kStock = "Ollama or llama-server runs it";
constexpr std::string_view kPrism = "the PrismML fork of llama-server runs it";
constexpr std::string_view kBitnetCpp = "bitnet.cpp runs it";
constexpr std::string_view kIk = "ik_llama.cpp runs it";

struct ForeignType {
  std::uint32_t id;
  std::string_view name;
  std::string_view runner;
};

// ggml.h of llama.cpp (November 2026) and of the forks named; without the types we run.
constexpr ForeignType kForeignTypes[] = {
    {9, "Q8_1", kStock},      {10, "Q2_K", kStock},    {11, "Q3_K", kStock},
    {15, "Q8_K", kStock},     {16, "IQ2_XXS", kStock}, {17, "IQ2_XS", kStock},
    {18, "IQ3_XXS", kStock},  {19, "IQ1_S", kStock},   {20, "IQ4_NL", kStock},
    {21, "IQ3_S", kStock},    {22, "IQ2_S", kStock},   {23, "IQ4_XS", kStock},
    {24, "I8", kStock},       {25, "I16", kStock},     {26, "I32", kStock},
    {27, "I64", kStock},      {28, "F64", kStock},     {29, "IQ1_M", kStock},
    {37, "I8_S", kBitnetCpp}, {38, "TL1", kBitnetCpp}, {39, "MXFP4 (or TL2)", kStock},
    {40, "NVFP4", kStock},    {41, "Q1_0", kStock},    {134, "IQ1_BN", kIk},
    {135, "IQ2_BN", kIk},     {142, "PQ2_0", kPrism},  {143, "PTQ1_0", kPrism},
    {335, "IQ2_BN_R4", kIk},
};

}  // namespace

std::string describe_unsupported_type(std::uint32_t ggml_type) {
  for (const ForeignType& type : kForeignTypes)
    if (type.id == ggml_type)
      return std::string(type.name) + ", which this engine does not run; " +
             std::string(type.runner);
  return "unknown type " + std::to_string(ggml_type) +
         "; a newer Ollama or llama-server may run it";
}

}  // namespace tophand::gguf
