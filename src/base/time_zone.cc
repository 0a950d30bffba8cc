#include "base/time_zone.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "base/posix_tz.h"

namespace tophand {

struct TimeZone::Rules {
  std::string name;
  std::uint64_t hash = 0;              // of the file's bytes
  std::vector<std::int64_t> at_s;      // when the offset changes, rising
  std::vector<std::int64_t> offset_s;  // one more than at_s: before the first, and from each on
  std::optional<PosixZone> after;      // the last of at_s
};

namespace {

constexpr std::size_t kFileBytesMax = 1u << 20;
constexpr std::size_t kHeaderBytes = 44;
constexpr std::int64_t kOffsetMostS = 93'600;  // 26 hours: RFC 8536 section 3.2 has -25 to +26
constexpr std::uint32_t kChangesMax = 10'000, kTypesMax = 256;
// How far before and after a local time the offsets are looked at: 27 hours, more than any offset.
constexpr std::int64_t kAroundS = 97'200;

Error corrupt(std::string_view what) {
  return {Code::kCorrupt, "not a zone file: " + std::string(what)};
}

// FNV-1a, 64 bits (RFC 9923).
std::uint64_t fnv1a(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : left_(bytes) {}
  std::size_t size() const { return left_.size(); }
  std::string_view rest() const { return left_; }
  std::string_view take(std::size_t count) {  // what there is, when there is less
    const std::string_view taken = left_.substr(0, count);
    left_.remove_prefix(taken.size());
    return taken;
  }
  // Big-endian, two's complement; 0 when there is less.
  std::int64_t integer(std::size_t bytes) {
    std::uint64_t value = !left_.empty() && (left_[0] & 0x80) != 0 ? ~std::uint64_t{0} : 0;
    const std::string_view taken = take(bytes);
    if (taken.size() < bytes) return 0;
    for (const char c : taken) value = value << 8 | static_cast<unsigned char>(c);
    return static_cast<std::int64_t>(value);
  }

 private:
  std::string_view left_;
};

struct Header {
  char version = 0;
  std::uint32_t is_utc = 0, is_standard = 0, leaps = 0, changes = 0, types = 0, chars = 0;
  std::size_t body_bytes(std::size_t time_bytes) const {
    return std::size_t{changes} * (time_bytes + 1) + std::size_t{types} * 6 + chars +
           std::size_t{leaps} * (time_bytes + 4) + is_standard + is_utc;
  }
};

Result<Header> read_header(Bytes& bytes) {
  Bytes head(bytes.take(kHeaderBytes));
  if (head.size() < kHeaderBytes || head.take(4) != "TZif")
    return tl::unexpected(corrupt("it does not begin with TZif"));
  Header header{.version = head.take(1)[0]};
  head.take(15);
  for (std::uint32_t* count : {&header.is_utc, &header.is_standard, &header.leaps, &header.changes,
                               &header.types, &header.chars})
    *count = static_cast<std::uint32_t>(head.integer(4));
  if (header.changes > kChangesMax || header.types > kTypesMax || header.types == 0 ||
      std::max({header.is_utc, header.is_standard, header.leaps, header.chars}) > kChangesMax)
    return tl::unexpected(corrupt("too many changes"));
  return header;
}

Result<TimeZone::Rules> read_body(Bytes& bytes, const Header& header, std::size_t time_bytes) {
  if (bytes.size() < header.body_bytes(time_bytes)) return tl::unexpected(corrupt("it is cut off"));
  TimeZone::Rules rules;
  for (std::uint32_t i = 0; i < header.changes; ++i) {
    const std::int64_t at_s = bytes.integer(time_bytes);
    if (!rules.at_s.empty() && at_s <= rules.at_s.back())
      return tl::unexpected(corrupt("changes that do not follow each other"));
    rules.at_s.push_back(at_s);
  }
  const std::string_view kinds = bytes.take(header.changes);
  std::vector<std::int64_t> offsets;
  for (std::uint32_t i = 0; i < header.types; ++i) {
    offsets.push_back(bytes.integer(4));
    bytes.take(2);  // whether it is summer time, and its name
    if (offsets.back() > kOffsetMostS || offsets.back() < -kOffsetMostS)
      return tl::unexpected(corrupt("an offset of more than a day"));
  }
  rules.offset_s.push_back(offsets.front());
  for (const char kind : kinds) {
    const auto index = static_cast<unsigned char>(kind);
    if (index >= offsets.size()) return tl::unexpected(corrupt("a change to nothing"));
    rules.offset_s.push_back(offsets[index]);
  }
  bytes.take(header.body_bytes(time_bytes) - std::size_t{header.changes} * (time_bytes + 1) -
             std::size_t{header.types} * 6);
  return rules;
}

Result<TimeZone::Rules> read_rules(std::string_view tzif) {
  Bytes bytes(tzif);
  TOPHAND_TRY(first, "zone", read_header(bytes));
  if (first.version < '2') return read_body(bytes, first, 4);
  if (bytes.size() < first.body_bytes(4)) return tl::unexpected(corrupt("it is cut off"));
  bytes.take(first.body_bytes(4));
  TOPHAND_TRY(header, "zone", read_header(bytes));
  TOPHAND_TRY(rules, "zone", read_body(bytes, header, 8));
  std::string_view footer = bytes.rest();
  if (footer.size() < 2 || footer.front() != '\n' || footer.find('\n', 1) == footer.npos)
    return tl::unexpected(corrupt("its rule is cut off"));
  footer = footer.substr(1, footer.find('\n', 1) - 1);
  if (footer.empty()) return std::move(rules);
  TOPHAND_TRY(after, "zone", parse_posix_tz(footer));
  rules.after = after;
  return std::move(rules);
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes;
  std::error_code failed;
  if (!file || !std::filesystem::is_regular_file(path, failed))
    return fail(Code::kNotFound, path + " is not there");
  bytes.resize(kFileBytesMax + 1);
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  if (bytes.size() > kFileBytesMax) return tl::unexpected(corrupt("more than a MiB"));
  return bytes;
}

// A name is a path within the folder of zones, and nothing that leads out of it.
bool is_zone_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && name.front() != '/' &&
         name.find("..") == std::string_view::npos && std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '/' || c == '_' || c == '-' || c == '+';
         });
}

Result<TimeZone> zone_of_file(std::string name, const std::string& path) {
  TOPHAND_TRY(bytes, "time zone", read_file(path));
  return TimeZone::parse(std::move(name), bytes);
}

// What /etc/localtime points to, without the folder; else what it is.
std::string name_of_link(const std::string& path) {
  std::error_code failed;
  const std::string target = std::filesystem::read_symlink(path, failed).string();
  constexpr std::string_view kMark = "zoneinfo/";
  const std::size_t at = target.find(kMark);
  return failed || at == std::string::npos ? "local time" : target.substr(at + kMark.size());
}

Result<TimeZone> system_zone(const std::string& folder) {
  const char* variable = std::getenv("TZ");  // NOLINT(concurrency-mt-unsafe): nobody sets it
  std::string name = variable == nullptr ? "" : variable;
  if (name.starts_with(':')) name.erase(0, 1);
  if (!name.empty() && name != "system") return TimeZone::find(name, folder);
  const std::string path = "/etc/localtime";
  std::error_code failed;
  if (!std::filesystem::exists(path, failed)) return TimeZone();
  return zone_of_file(name_of_link(path), path);
}

}  // namespace

Result<TimeZone> TimeZone::parse(std::string name, std::string_view tzif) {
  TOPHAND_TRY(rules, name, read_rules(tzif));
  rules.name = std::move(name);
  rules.hash = fnv1a(tzif);
  TimeZone zone;
  zone.rules_ = std::make_shared<const Rules>(std::move(rules));
  return zone;
}

Result<TimeZone> TimeZone::find(std::string_view name, const std::string& folder) {
  if (name == "UTC") return TimeZone();
  if (name == "system") return system_zone(folder);
  const std::string shown = "time zone '" + std::string(name.substr(0, 64)) + "'";
  if (!is_zone_name(name))
    return fail(Code::kNotFound, shown + ": expected a name such as Europe/Berlin, UTC or system");
  auto zone = zone_of_file(std::string(name), folder + "/" + std::string(name));
  if (!zone && zone.error().code == Code::kNotFound)
    return fail(Code::kNotFound, shown + " is not known: the names are those of the files in " +
                                     folder + " (Debian's package tzdata)");
  return zone;
}

const std::string& TimeZone::name() const {
  static const std::string utc = "UTC";
  return rules_ ? rules_->name : utc;
}

std::string TimeZone::fingerprint() const {
  if (!rules_) return name();
  std::array<char, 24> hash{};
  std::snprintf(hash.data(), hash.size(), "#%016llx",
                static_cast<unsigned long long>(rules_->hash));
  return name() + hash.data();
}

std::int64_t TimeZone::offset_s(std::int64_t utc_s) const {
  if (!rules_) return 0;
  const auto& at_s = rules_->at_s;
  const auto& after = rules_->after;
  if (after && (at_s.empty() || utc_s >= at_s.back())) return after->offset_s(utc_s);
  const auto next = std::ranges::upper_bound(at_s, utc_s);
  return rules_->offset_s[static_cast<std::size_t>(next - at_s.begin())];
}

std::int64_t TimeZone::first_utc_s(std::int64_t local_s) const {
  const std::int64_t before = offset_s(local_s - kAroundS), after = offset_s(local_s + kAroundS);
  if (before == after) return local_s - before;
  // Clocks are changed once in these two days: `first` is before it, `last` at it or after.
  std::int64_t first = local_s - kAroundS, last = local_s + kAroundS;
  while (last - first > 1) {
    const std::int64_t middle = first + (last - first) / 2;
    (offset_s(middle) == before ? first : last) = middle;
  }
  if (local_s - before < last) return local_s - before;
  return std::max(local_s - after, last);
}

}  // namespace tophand
