#include "policy/sampling.h"

#include <algorithm>
#include <bit>
#include <string>

namespace tophand::policy {
namespace {

struct SipState {
  std::uint64_t v0, v1, v2, v3;

  void round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
  void take(std::uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
};

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t word = 0;
  for (std::size_t i = bytes.size(); i-- > 0;)
    word = word << 8 | static_cast<unsigned char>(bytes[i]);
  return word;
}

}  // namespace

std::uint64_t siphash(const SampleSeed& key, std::string_view text) {
  SipState state{key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
                 key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573};
  const std::uint64_t length = static_cast<std::uint64_t>(text.size()) << 56;
  for (; text.size() >= 8; text.remove_prefix(8)) state.take(little_endian(text.substr(0, 8)));
  state.take(length | little_endian(text));
  state.v2 ^= 0xff;
  for (int i = 0; i < 4; ++i) state.round();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

double draw(const SampleSeed& seed, std::string_view purpose, std::string_view request_id) {
  const std::string text = std::string(purpose) + '\0' + std::string(request_id);
  return static_cast<double>(siphash(seed, text) >> 11) * 0x1p-53;  // the top 53 bits
}

std::string_view arm_name(Arm arm) {
  constexpr std::array<std::string_view, 4> kNames{"", "holdout", "canary", "audit"};
  return kNames.at(static_cast<std::size_t>(arm));
}

bool draws_holdout(std::string_view request_id, const SampleSeed& seed, const Shares& shares) {
  return draw(seed, "holdout", request_id) < shares.holdout;
}

Arm sample_arm(std::string_view request_id, Stage stage, const DayCount& today,
               const SampleSeed& seed, const Shares& shares) {
  const double drawn = draw(seed, "audit", request_id);
  if (stage != Stage::kTrusted) return drawn < shares.canary ? Arm::kCanary : Arm::kNone;
  const std::int64_t expected = today.yesterday > 0 ? today.yesterday : shares.expected_a_day;
  const std::int64_t due =
      std::min(shares.trusted_a_day, shares.trusted_a_day * (today.requests + 1) / expected);
  const bool behind = today.audits < due;
  return drawn < shares.trusted || behind ? Arm::kAudit : Arm::kNone;
}

}  // namespace tophand::policy
