#include "gguf/value.h"

#include <bit>
#include <cstring>
#include <limits>

namespace tophand::gguf {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF values are read in place");

template <class T>
T load(const std::byte* at) {
  T out;
  std::memcpy(&out, at, sizeof out);  // the format does not align values
  return out;
}

std::optional<std::int64_t> load_integer(ValueType type, const std::byte* at) {
  switch (type) {
    case ValueType::kU8:
      return load<std::uint8_t>(at);
    case ValueType::kI8:
      return load<std::int8_t>(at);
    case ValueType::kU16:
      return load<std::uint16_t>(at);
    case ValueType::kI16:
      return load<std::int16_t>(at);
    case ValueType::kU32:
      return load<std::uint32_t>(at);
    case ValueType::kI32:
      return load<std::int32_t>(at);
    case ValueType::kI64:
      return load<std::int64_t>(at);
    case ValueType::kU64: {
      const auto value = load<std::uint64_t>(at);
      if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return {};
      return static_cast<std::int64_t>(value);
    }
    default:
      return {};
  }
}

}  // namespace

std::string_view value_type_name(ValueType type) {
  constexpr std::string_view kNames[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                         "bool", "string", "array", "u64", "i64", "f64"};
  const auto index = static_cast<std::size_t>(type);
  return index < std::size(kNames) ? kNames[index] : "unknown";
}

std::size_t value_type_bytes(ValueType type) {
  constexpr std::size_t kBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  const auto index = static_cast<std::size_t>(type);
  return index < std::size(kBytes) ? kBytes[index] : 0;
}

std::optional<std::int64_t> Value::integer() const {
  return load_integer(type_, bytes_.data());
}

std::optional<double> Value::number() const {
  if (type_ == ValueType::kF32) return static_cast<double>(load<float>(bytes_.data()));
  if (type_ == ValueType::kF64) return load<double>(bytes_.data());
  if (const auto whole = integer()) return static_cast<double>(*whole);
  return {};
}

std::optional<bool> Value::boolean() const {
  if (type_ != ValueType::kBool) return {};
  return load<std::uint8_t>(bytes_.data()) != 0;
}

std::optional<std::string_view> Value::string() const {
  if (type_ != ValueType::kString) return {};
  return std::string_view(reinterpret_cast<const char*>(bytes_.data()), bytes_.size());
}

std::optional<std::vector<std::int64_t>> Value::integers() const {
  const std::size_t step = value_type_bytes(element_);
  if (type_ != ValueType::kArray || step == 0) return {};
  std::vector<std::int64_t> out;
  out.reserve(count_);
  for (std::uint64_t i = 0; i < count_; ++i) {
    const auto value = load_integer(element_, bytes_.data() + i * step);
    if (!value) return {};
    out.push_back(*value);
  }
  return out;
}

std::optional<std::vector<float>> Value::floats() const {
  if (type_ != ValueType::kArray || element_ != ValueType::kF32) return {};
  std::vector<float> out;
  out.reserve(count_);
  for (std::uint64_t i = 0; i < count_; ++i)
    out.push_back(load<float>(bytes_.data() + i * sizeof(float)));
  return out;
}

std::optional<std::vector<bool>> Value::booleans() const {
  if (type_ != ValueType::kArray || element_ != ValueType::kBool) return {};
  std::vector<bool> out(count_);
  for (std::uint64_t i = 0; i < count_; ++i) out[i] = bytes_[i] != std::byte{0};
  return out;
}

std::optional<std::vector<std::string_view>> Value::strings() const {
  if (type_ != ValueType::kArray || element_ != ValueType::kString) return {};
  std::vector<std::string_view> out;
  out.reserve(count_);
  const std::byte* at = bytes_.data();
  for (std::uint64_t i = 0; i < count_; ++i) {
    const auto size = load<std::uint64_t>(at);
    at += sizeof size;
    out.emplace_back(reinterpret_cast<const char*>(at), size);
    at += size;
  }
  return out;
}

}  // namespace tophand::gguf
