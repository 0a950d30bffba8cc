// Civil time in one time zone, by the rules of the machine's zone files (TZif, RFC 8536) and the
// rule behind their last change (a POSIX TZ text), so that no process-wide TZ has to be set and any
// thread may ask. Reads a file once, when it is made; then pure. Leap seconds do not exist here, as
// in POSIX time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tophand {

class TimeZone {
 public:
  TimeZone() = default;  // UTC
  // "UTC", "system" (TZ, else /etc/localtime, else UTC), or an IANA name such as "Europe/Berlin".
  // kNotFound where `folder` has no such file, kCorrupt where it is no zone file.
  static Result<TimeZone> find(std::string_view name, const std::string& folder = kFolder);
  static inline const std::string kFolder = "/usr/share/zoneinfo";
  // A zone file's bytes; kCorrupt on anything that RFC 8536 does not allow.
  static Result<TimeZone> parse(std::string name, std::string_view tzif);

  const std::string& name() const;
  // The name, and a hash of the rules: they change with the machine's zone files. "UTC" has none.
  std::string fingerprint() const;
  // Local time less UTC at that moment. Seconds since 1970-01-01 UTC.
  std::int64_t offset_s(std::int64_t utc_s) const;
  // The first moment at which clocks here show `local_s` (seconds since 1970-01-01 00:00 as clocks
  // show them); where they jump over it, the moment of the jump.
  std::int64_t first_utc_s(std::int64_t local_s) const;

  struct Rules;

 private:
  std::shared_ptr<const Rules> rules_;  // nullptr: UTC. Shared by copies; never changed
};

}  // namespace tophand
