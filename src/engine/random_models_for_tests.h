// The small random models of tests/reference/data/random_models.json, as GGUF files: tests only.
#pragma once

#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "gguf/writer_for_tests.h"

namespace tophand::engine {

// The rule of make_random_models.py: splitmix64 of a counter, 24 bits of it.
inline std::string random_tensor(std::uint64_t n, std::uint64_t seed, double centre,
                                 double spread) {
  gguf::testing::Bytes out;
  for (std::uint64_t i = 0; i < n; ++i) {
    std::uint64_t z = seed * 0x9E3779B97F4A7C15u + i;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    const double u = static_cast<double>(z >> 40) * 0x1p-23 - 1.0;
    out.put(static_cast<float>(centre + spread * u));
  }
  return out.data();
}

inline gguf::testing::TensorSpec tensor_of(const Json& row) {
  gguf::testing::TensorSpec out{
      row[0].get<std::string>(), row[1].get<std::vector<std::uint64_t>>(), 0, {}};
  std::uint64_t n = 1;
  for (const std::uint64_t dim : out.dims) n *= dim;
  if (row.size() == 5) {
    out.data =
        random_tensor(n, row[2].get<std::uint64_t>(), row[3].get<double>(), row[4].get<double>());
  } else {
    gguf::testing::Bytes given;
    for (const double value : row[2].get<std::vector<double>>())
      given.put(static_cast<float>(value));
    out.data = given.data();
  }
  return out;
}

inline std::string entry_of(const std::string& key, const Json& value) {
  using namespace gguf::testing;
  if (value.is_string()) return entry_string(key, value.get<std::string>());
  if (value.is_boolean()) return entry(key, 7, Bytes().put(value.get<bool>()).data());
  if (value.is_number_integer()) return entry_u32(key, value.get<std::uint32_t>());
  if (value.is_number()) return entry_f32(key, value.get<float>());
  if (value.at(0).is_string()) return entry_strings(key, value.get<std::vector<std::string>>());
  return entry_i32s(key, value.get<std::vector<std::int32_t>>());
}

inline const Json& random_models() {
  static const Json all = [] {
    std::ifstream file(std::string(TOPHAND_SOURCE_DIR) +
                       "/tests/reference/data/random_models.json");
    return std::move(*parse_json(std::string{std::istreambuf_iterator<char>(file), {}}));
  }();
  return all;
}

// The bytes of the described file.
inline std::string file_of(const Json& description) {
  gguf::testing::FileSpec spec;
  for (const auto& [key, value] : description.at("metadata").items())
    spec.metadata.push_back(entry_of(key, value));
  for (const Json& row : description.at("tensors")) spec.tensors.push_back(tensor_of(row));
  return gguf::testing::write(spec);
}

}  // namespace tophand::engine
