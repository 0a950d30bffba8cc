// Which requests are looked at more closely, chosen before anything is known of their answers, so
// that what is seen in them holds for the rest. A keyed hash of the request's id draws: anybody who
// has the seed can check the draw later, nobody without it can steer it. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "policy/learning.h"

namespace tophand::policy {

using SampleSeed = std::array<std::uint64_t, 2>;

// SipHash-2-4 (J.-P. Aumasson, D. J. Bernstein, INDOCRYPT 2012).
std::uint64_t siphash(const SampleSeed& key, std::string_view text);

// Uniform in [0, 1); independent for different `purpose` of the same request.
double draw(const SampleSeed& seed, std::string_view purpose, std::string_view request_id);

// kHoldout: Claude answers what local would have. kCanary, kAudit: local answers, and the answer is
// judged; kAudit on routes that are trusted. kNone: nothing special.
enum class Arm : std::uint8_t { kNone, kHoldout, kCanary, kAudit };
std::string_view arm_name(Arm arm);  // "", "holdout", ...

struct Shares {
  double holdout = 0.02;
  double canary = 0.20;
  double trusted = 0.02;             // where there is much traffic
  std::int64_t trusted_a_day = 3;    // where there is less: at least so many
  std::int64_t expected_a_day = 30;  // of a route of which no day is known yet
};

// Requests of one route on one day (UTC) that were up for an audit.
struct DayCount {
  std::int64_t requests = 0, audits = 0;  // before this request
  std::int64_t yesterday = 0;             // requests; 0: not known
};

// Whether it goes to Claude for comparison. The caller has made sure that it may (there is a key,
// its text may leave the house, it is of low priority).
bool draws_holdout(std::string_view request_id, const SampleSeed& seed, const Shares& shares);
// For a request that local is going to answer. A trusted route that has fewer audits than three a
// day would have brought by now, going by yesterday's traffic, gets one in any case.
Arm sample_arm(std::string_view request_id, Stage stage, const DayCount& today,
               const SampleSeed& seed, const Shares& shares);

}  // namespace tophand::policy
