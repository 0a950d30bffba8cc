#include "dispatch/verdict.h"

#include "net/retry_after.h"

namespace tophand::dispatch {
namespace {

constexpr std::int64_t kShortWaitMs = 5'000;

}  // namespace

Health health_of(const backend::Report& report) {
  if (report.end == backend::End::kFinished || report.unable) return Health::kWell;
  if (report.end == backend::End::kCancelled) return Health::kUnknown;
  if (!report.failure) return Health::kFailing;  // it ended without a word
  switch (report.failure->error.code) {
    case Code::kUnavailable:
    case Code::kUpstream:
    case Code::kDeadline:
    case Code::kIo:
    case Code::kCorrupt:
    case Code::kBug:
      return Health::kFailing;
    default:
      return Health::kWell;
  }
}

bool may_help_elsewhere(const backend::Report& report) {
  if (report.end == backend::End::kFinished || report.end == backend::End::kCancelled) return false;
  if (!report.failure) return true;
  const Error& error = report.failure->error;
  if (error.code == Code::kInvalid) return error.about == About::kAbility;
  return error.code != Code::kTooLarge;
}

bool is_spend_limit(const backend::Report& report) {
  return report.status == 429 &&
         report.raw_error.find("enforced_spend_limit_reached") != std::string::npos;
}

std::optional<std::int64_t> repeat_after_ms(const backend::Report& report, std::int64_t wall_ms) {
  if (!may_help_elsewhere(report) || is_spend_limit(report)) return std::nullopt;
  const auto wait_ms = net::retry_after_ms(report.kept, wall_ms);
  if (!wait_ms || *wait_ms > kShortWaitMs) return std::nullopt;
  return wait_ms;
}

}  // namespace tophand::dispatch
