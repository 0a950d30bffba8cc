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
    {40, "NVFP4", kStock},        {43, "STQ1_0", kTencent},
};

// gguf-py/gguf/constants.py of ik_llama.cpp.
struct IkType {
  std::uint32_t id;
  std::string_view name;
};
constexpr IkType kIkTypes[] = {
    {133, "Q6_0"},      {134, "IQ1_BN"},     {135, "IQ2_BN"},    {137, "IQ2_K"},
    {138, "IQ3_K"},     {139, "IQ4_K"},      {140, "IQ5_K"},     {141, "IQ6_K"},
    {144, "IQ4_KS"},    {145, "IQ2_KS"},     {146, "IQ4_KSS"},   {151, "Q8_KV"},
    {152, "IQ5_KS"},    {153, "IQ2_KT"},     {154, "IQ3_KT"},    {155, "IQ4_KT"},
    {156, "IQ3_KS"},    {157, "IQ2_KL"},     {158, "IQ1_KT"},    {202, "Q4_0_R8"},
    {206, "Q5_0_R4"},   {208, "Q8_0_R8"},    {210, "Q2_K_R4"},   {211, "Q3_K_R4"},
    {212, "Q4_K_R4"},   {213, "Q5_K_R4"},    {214, "Q6_K_R4"},   {216, "IQ2_XXS_R4"},
    {217, "IQ2_XS_R4"}, {218, "IQ3_XXS_R4"}, {219, "IQ1_S_R4"},  {220, "IQ4_NL_R4"},
    {221, "IQ3_S_R4"},  {222, "IQ2_S_R4"},   {223, "IQ4_XS_R8"}, {229, "IQ1_M_R4"},
    {230, "BF16_R16"},  {233, "Q6_0_R4"},    {335, "IQ2_BN_R4"}, {337, "IQ2_K_R4"},
    {338, "IQ3_K_R4"},  {339, "IQ4_K_R4"},   {340, "IQ5_K_R4"},  {344, "IQ4_KS_R4"},
    {352, "IQ5_KS_R4"}, {398, "Q8_KV_R8"},   {399, "Q8_K_R8"},   {136, "Q8_K64"},
    {147, "Q8_K16"},    {148, "Q8_K32"},     {149, "Q8_KR8"},    {150, "Q8_K128"},
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
  for (const IkType& type : kIkTypes)
    if (type.id == ggml_type) return sentence({type.id, type.name, kIk});
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
