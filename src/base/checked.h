// Arithmetic on sizes that come from files or the network: every sum and product is checked.
#pragma once

#include <cstdint>
#include <optional>

namespace tophand {

template <class T>
[[nodiscard]] constexpr std::optional<T> checked_add(T a, T b) {
  T out{};
  if (__builtin_add_overflow(a, b, &out)) return std::nullopt;
  return out;
}

template <class T>
[[nodiscard]] constexpr std::optional<T> checked_mul(T a, T b) {
  T out{};
  if (__builtin_mul_overflow(a, b, &out)) return std::nullopt;
  return out;
}

// value rounded up to a multiple of `unit` (a power of two), or nothing on overflow.
template <class T>
[[nodiscard]] constexpr std::optional<T> checked_round_up(T value, T unit) {
  const auto bumped = checked_add<T>(value, unit - 1);
  if (!bumped) return std::nullopt;
  return *bumped & ~(unit - 1);
}

}  // namespace tophand
