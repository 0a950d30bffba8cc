#include "config/checks.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdint>
#include <string_view>
#include <utility>

namespace tophand::config {
namespace {

bool is_visible_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

// 127.0.0.0/8 in dotted form only: "127.example.org" is a name that anybody may own.
bool is_loopback(std::string_view host) {
  if (host == "localhost" || host == "::1") return true;
  return host.starts_with("127.") && std::ranges::count(host, '.') == 3 &&
         std::ranges::all_of(host, [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
}

// The host of "scheme://host[:port][/...]"; "" when there is none or a user name stands before it.
std::string_view host_of(std::string_view url) {
  const std::string_view rest = url.substr(url.find("://") + 3);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  if (authority.find('@') != std::string_view::npos) return "";
  if (!authority.starts_with('[')) return authority.substr(0, authority.find(':'));
  const std::size_t close = authority.find(']');
  return close == std::string_view::npos ? "" : authority.substr(1, close - 1);
}

bool is_private_ipv4(std::string_view host) {
  if (host.starts_with("10.") || host.starts_with("192.168.") || host.starts_with("169.254."))
    return std::ranges::count(host, '.') == 3;
  if (!host.starts_with("172.") || std::ranges::count(host, '.') != 3) return false;
  int second = 0;
  const std::string_view rest = host.substr(4);
  std::from_chars(rest.data(), rest.data() + rest.size(), second);
  return second >= 16 && second <= 31;
}

bool is_http_url(std::string_view text) {
  return (text.starts_with("https://") || text.starts_with("http://")) && is_visible_ascii(text) &&
         !host_of(text).empty();
}

}  // namespace

Result<> check_listen(const std::string& value) {
  const auto wrong = [&] {
    return fail(Code::kConfig,
                "expected ADDRESS:PORT such as 127.0.0.1:7433 or [::1]:0, found '" + value + "'");
  };
  const std::size_t colon = value.rfind(':');
  if (colon == std::string::npos || colon == 0 || !is_visible_ascii(value)) return wrong();
  const std::string_view address = std::string_view(value).substr(0, colon);
  const std::string_view digits = std::string_view(value).substr(colon + 1);
  const bool bracketed = address.starts_with('[') && address.ends_with(']') && address.size() > 2;
  // Without brackets nobody can tell where an IPv6 address ends and its port begins.
  if (!bracketed && address.find_first_of("[]:") != std::string_view::npos) return wrong();
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size()) return wrong();
  return {};
}

Result<> check_mirror(const std::string& value) {
  if (value.empty() || value.front() == '/' || is_http_url(value)) return {};
  return fail(Code::kConfig, "expected an http(s) URL or a folder, found '" + value + "'");
}

Result<> check_claude_url(const std::string& value) {
  if (!is_http_url(value) || value.find_first_of("?#") != std::string::npos)
    return fail(Code::kConfig,
                "expected a URL such as https://api.anthropic.com, found '" + value + "'");
  if (value.starts_with("http://") && !is_loopback(host_of(value)))
    return fail(Code::kConfig, "expected https: over http to '" + std::string(host_of(value)) +
                                   "' the API key would travel in clear text");
  return {};
}

Result<> check_backend(const BackendConfig& backend, const std::vector<BackendConfig>& before) {
  constexpr std::size_t kNameBytesMax = 40;
  constexpr std::array<std::string_view, 6> kTaken{"local", "claude", "auto",
                                                   "low",   "high",   "anthropic"};
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  if (backend.name.empty() || backend.name.size() > kNameBytesMax ||
      !std::ranges::all_of(backend.name, allowed))
    return fail(Code::kConfig,
                "backends.name: expected lower case letters, digits, - and _ (at "
                "most 40), found '" +
                    backend.name + "'");
  const std::string where = "backends." + backend.name;
  if (std::ranges::find(kTaken, backend.name) != kTaken.end())
    return fail(Code::kConfig, where + ": this name has a meaning already, choose another one");
  if (std::ranges::any_of(before, [&](const auto& other) { return other.name == backend.name; }))
    return fail(Code::kConfig, where + ": there is a backend of this name already");
  if (backend.kind.empty()) {
    std::string kinds;
    for (const std::string_view kind : kBackendKinds) (kinds += kinds.empty() ? "" : ", ") += kind;
    return fail(Code::kConfig, where + ".kind is missing; one of " + kinds);
  }
  if (!is_http_url(backend.url) || backend.url.find_first_of("?#") != std::string::npos)
    return fail(Code::kConfig, where + ".url: expected a URL such as http://ws2:11434, found '" +
                                   backend.url + "'");
  if (!backend.key_file.empty() && backend.url.starts_with("http://") &&
      !is_loopback(host_of(backend.url)))
    return fail(Code::kConfig, where + ".url: expected https: over http to '" +
                                   std::string(host_of(backend.url)) +
                                   "' the API key would travel in clear text");
  return {};
}

Result<> check_cap(const CapConfig& cap, const std::vector<CapConfig>& before) {
  if (cap.scope.empty())
    return fail(Code::kConfig,
                "budget.caps.scope is missing; one of team, key, agent, persona, "
                "session, model, provider");
  const std::string where = "budget.caps of " + cap.scope;
  if (cap.scope == "team" && !cap.name.empty())
    return fail(Code::kConfig, where + ": the team has no name");
  if (cap.scope != "team" && cap.name.empty())
    return fail(Code::kConfig, where + ": name is missing; \"*\" is each of them by itself");
  if (cap.scope == "provider" && cap.name != "claude" && cap.name != "*")
    return fail(Code::kConfig, where + ": expected claude, the one that is paid, or *, found '" +
                                   cap.name.substr(0, 60) + "'");
  if (!cap.usd) return fail(Code::kConfig, where + ": usd is missing, the dollars of the cap");
  const auto same = [&](const CapConfig& other) {
    return other.scope == cap.scope && other.name == cap.name && other.window == cap.window;
  };
  if (std::ranges::any_of(before, same))
    return fail(Code::kConfig, where + ": there is a cap for this name and window already");
  return {};
}

bool is_in_house(const BackendConfig& backend) {
  if (backend.in_house != "auto") return backend.in_house == "yes";
  const std::string_view host = host_of(backend.url);
  if (is_loopback(host)) return true;
  // RFC 1918 and RFC 3927; RFC 4193 and link-local for IPv6.
  if (host.find(':') != std::string_view::npos)
    return host.starts_with("fd") || host.starts_with("fc") || host.starts_with("fe80:");
  if (std::ranges::all_of(host, [](char c) { return c == '.' || (c >= '0' && c <= '9'); }))
    return is_private_ipv4(host);
  if (host.find('.') == std::string_view::npos) return true;  // "ws2"
  // RFC 6762, RFC 8375, and what ICANN has set aside for private use.
  return std::ranges::any_of(
      std::array<std::string_view, 4>{".local", ".lan", ".home.arpa", ".internal"},
      [&](std::string_view suffix) { return host.ends_with(suffix); });
}

Result<Calendar> calendar_of(const BudgetConfig& budget) {
  const std::string& text = budget.week_starts;
  const std::size_t space = std::min(text.find(' '), text.size());
  const std::uint8_t days = parse_day(text.substr(0, space));
  const auto time =
      parse_hours((space < text.size() ? text.substr(space + 1) : "00:00") + "-00:00");
  if (std::popcount(days) != 1 || !time || text.ends_with("24:00"))
    return fail(Code::kConfig,
                "budget.week_starts: expected a day and a time such as \"mon 00:00\", found '" +
                    text + "'");
  auto zone = TimeZone::find(budget.time_zone.empty() ? "UTC" : budget.time_zone);
  if (!zone) return fail(Code::kConfig, "budget.time_zone: " + zone.error().message);
  return Calendar(*std::move(zone),
                  {.weekday = std::countr_zero(days), .minute = time->from_minute});
}

Result<> check_claude_key(const ClaudeKeyConfig& key, const std::vector<ClaudeKeyConfig>&) {
  if (key.file.empty()) return fail(Code::kConfig, "claude.keys.file is missing");
  return {};
}

Result<> check_secret(const std::string& value) {
  constexpr std::size_t kSizeMax = 4096;
  if (!value.empty() && value.size() <= kSizeMax && is_visible_ascii(value)) return {};
  return fail(Code::kConfig, "expected one key, in one line");
}

}  // namespace tophand::config
