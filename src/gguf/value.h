// One metadata value of a GGUF file. Strings and arrays are views into the file's bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace tophand::gguf {

// Numbers as in the file (gguf.h of ggml).
enum class ValueType : std::uint32_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12,
};

std::string_view value_type_name(ValueType type);

// Bytes of a fixed-size type; 0 for strings and arrays.
std::size_t value_type_bytes(ValueType type);

// Readers give nothing when the value is of another kind or does not fit, never a cast.
class Value {
 public:
  // `bytes` was checked by the parser: the payload (a string without its length; an array's
  // elements without its header).
  Value(ValueType type, ValueType element, std::uint64_t count, std::span<const std::byte> bytes)
      : type_(type), element_(element), count_(count), bytes_(bytes) {}

  ValueType type() const { return type_; }
  ValueType element_type() const { return element_; }  // of an array
  std::uint64_t count() const { return count_; }       // of an array

  std::optional<std::int64_t> integer() const;  // any integer type that fits int64
  std::optional<double> number() const;         // integers too
  std::optional<bool> boolean() const;
  std::optional<std::string_view> string() const;

  // The payload as it lies in the file: a string without its length, an array's elements.
  std::span<const std::byte> bytes() const { return bytes_; }

  // Whole arrays. Integer arrays widen to int64 (u64 above its range: nothing); floats are f32
  // only.
  std::optional<std::vector<std::int64_t>> integers() const;
  std::optional<std::vector<float>> floats() const;
  std::optional<std::vector<std::string_view>> strings() const;
  std::optional<std::vector<bool>> booleans() const;

 private:
  ValueType type_;
  ValueType element_;
  std::uint64_t count_;
  std::span<const std::byte> bytes_;
};

}  // namespace tophand::gguf
