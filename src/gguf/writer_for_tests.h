// Writes small GGUF files in memory, right or wrong in a chosen way: tests and fuzzing only.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace tophand::gguf::testing {

class Bytes {
 public:
  template <class T>
  Bytes& put(T value) {
    char raw[sizeof(T)];
    std::memcpy(raw, &value, sizeof(T));
    data_.append(raw, sizeof(T));
    return *this;
  }
  Bytes& raw(std::string_view bytes) {
    data_.append(bytes);
    return *this;
  }
  Bytes& string(std::string_view text) {
    put<std::uint64_t>(text.size());
    return raw(text);
  }
  const std::string& data() const { return data_; }

 private:
  std::string data_;
};

struct TensorSpec {
  std::string name;
  std::vector<std::uint64_t> dims;
  std::uint32_t type = 0;  // ggml type id
  std::string data;
};

// Every field that a header has can be set to something other than the truth.
struct FileSpec {
  std::uint32_t magic = 0x46554747;
  std::uint32_t version = 3;
  std::uint64_t alignment = 32;       // used for layout; not written by itself
  std::vector<std::string> metadata;  // encoded entries: see entry_*()
  std::vector<TensorSpec> tensors;
  std::int64_t tensor_count = -1;  // -1: the truth
  std::int64_t metadata_count = -1;
  std::vector<std::uint64_t> offsets;  // empty: in order, aligned
  std::string after;                   // bytes after the last tensor
  bool pad_header = true;
};

inline std::string entry(std::string_view key, std::uint32_t type, std::string_view payload) {
  return Bytes().string(key).put<std::uint32_t>(type).raw(payload).data();
}
inline std::string entry_string(std::string_view key, std::string_view value) {
  return entry(key, 8, Bytes().string(value).data());
}
inline std::string entry_u32(std::string_view key, std::uint32_t value) {
  return entry(key, 4, Bytes().put(value).data());
}
inline std::string entry_f32(std::string_view key, float value) {
  return entry(key, 6, Bytes().put(value).data());
}
inline std::string entry_strings(std::string_view key, const std::vector<std::string>& values) {
  Bytes out;
  out.put<std::uint32_t>(8).put<std::uint64_t>(values.size());
  for (const std::string& value : values) out.string(value);
  return entry(key, 9, out.data());
}
inline std::string entry_i32s(std::string_view key, const std::vector<std::int32_t>& values) {
  Bytes out;
  out.put<std::uint32_t>(5).put<std::uint64_t>(values.size());
  for (const std::int32_t value : values) out.put(value);
  return entry(key, 9, out.data());
}

inline std::string floats(std::uint64_t n, float first = 0.0f, float step = 1.0f) {
  Bytes out;
  for (std::uint64_t i = 0; i < n; ++i) out.put(first + step * static_cast<float>(i));
  return out.data();
}

inline std::string write(const FileSpec& spec) {
  const auto padded = [&](std::string text) {
    text.append((spec.alignment - text.size() % spec.alignment) % spec.alignment, '\0');
    return text;
  };
  Bytes out;
  out.put(spec.magic).put(spec.version);
  out.put<std::uint64_t>(spec.tensor_count >= 0 ? static_cast<std::uint64_t>(spec.tensor_count)
                                                : spec.tensors.size());
  out.put<std::uint64_t>(spec.metadata_count >= 0 ? static_cast<std::uint64_t>(spec.metadata_count)
                                                  : spec.metadata.size());
  for (const std::string& item : spec.metadata) out.raw(item);
  std::string section;
  for (std::size_t i = 0; i < spec.tensors.size(); ++i) {
    const TensorSpec& tensor = spec.tensors[i];
    section = padded(section);
    out.string(tensor.name).put<std::uint32_t>(static_cast<std::uint32_t>(tensor.dims.size()));
    for (const std::uint64_t dim : tensor.dims) out.put(dim);
    out.put(tensor.type);
    out.put<std::uint64_t>(spec.offsets.empty() ? section.size() : spec.offsets[i]);
    section += tensor.data;
  }
  std::string file = spec.pad_header ? padded(out.data()) : out.data();
  return file + section + spec.after;
}

}  // namespace tophand::gguf::testing
