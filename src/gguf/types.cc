#include "gguf/types.h"

namespace tophand::gguf {
namespace {

constexpr std::string_view kStock = "Ollama or llama-server runs it";
constexpr std::string_view kBitnetCpp =
    "bitnet.cpp runs it, on the kind of machine it was made for; take the model's I2_S file";
constexpr std::string_view kIk = "ik_llama.cpp runs it";
constexpr std::string_view kTencent = "Tencent's branch of llama-server runs it";
constexpr std::string_view kInternal = "it belongs in a program's memory; convert the model again";
constexpr std::string_view kWithdrawn =
    "it was withdrawn in 2025; take the model's Q4_0 file, or an IQ4_NL one for Ollama";

struct ForeignType {
  std::uint32_t id;
  std::string_view name;
  std::string_view runner;
};

// ggml.h of llama.cpp (November 2026) and of the forks named; without the types we run.
constexpr ForeignType kForeignTypes[] = {
    {9, "Q8_1", kInternal},       {10, "Q2_K", kStock},         {11, "Q3_K", kStock},
    {15, "Q8_K", kInternal},      {16, "IQ2_XXS", kStock},      {17, "IQ2_XS", kStock},
    {18, "IQ3_XXS", kStock},      {19, "IQ1_S", kStock},        {20, "IQ4_NL", kStock},
    {21, "IQ3_S", kStock},        {22, "IQ2_S", kStock},        {23, "IQ4_XS", kStock},
    {24, "I8", kStock},           {25, "I16", kStock},          {26, "I32", kStock},
    {27, "I64", kStock},          {28, "F64", kStock},          {29, "IQ1_M", kStock},
    {31, "Q4_0_4_4", kWithdrawn}, {32, "Q4_0_4_8", kWithdrawn}, {33, "Q4_0_8_8", kWithdrawn},
    {37, "I8_S", kBitnetCpp},     {38, "TL1", kBitnetCpp},      {39, "MXFP4", kStock},
    {40, "NVFP4", kStock},        {43, "STQ1_0", kTencent},     {133, "Q6_0", kIk},
    {134, "IQ1_BN", kIk},         {135, "IQ2_BN", kIk},         {137, "IQ2_K", kIk},
    {138, "IQ3_K", kIk},          {139, "IQ4_K", kIk},          {140, "IQ5_K", kIk},
    {141, "IQ6_K", kIk},          {144, "IQ4_KS", kIk},         {145, "IQ2_KS", kIk},
    {146, "IQ4_KSS", kIk},        {335, "IQ2_BN_R4", kIk},
};

// bitnet.cpp's TL2 has the id of ggml's MXFP4; it writes it for BitNet architectures only.
constexpr ForeignType kTl2{39, "TL2", kBitnetCpp};

std::string sentence(const ForeignType& type) {
  return std::string(type.name) + ", which this engine does not run; " + std::string(type.runner);
}

}  // namespace

std::string describe_unsupported_type(std::uint32_t ggml_type, std::string_view architecture) {
  if (ggml_type == kTl2.id && architecture.starts_with("bitnet")) return sentence(kTl2);
  for (const ForeignType& type : kForeignTypes)
    if (type.id == ggml_type) return sentence(type);
  return "unknown type " + std::to_string(ggml_type) +
         "; a newer Ollama or llama-server may run it";
}

std::string quoted(std::string_view name) {
  std::string out = "'";
  for (const char c : name.substr(0, 80)) out += (c >= ' ' && c < 127) ? c : '?';
  if (name.size() > 80) out += "...";
  return out + "'";
}

}  // namespace tophand::gguf
