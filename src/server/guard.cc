#include "server/guard.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/base64.h"
#include "server/routes.h"

namespace tophand::server {
namespace {

std::size_t count_of(const net::Headers& headers, std::string_view name) {
  return static_cast<std::size_t>(std::ranges::count_if(
      headers.all(), [&](const auto& header) { return equals_ignoring_case(header.name, name); }));
}

using net::kValueSpaces;

struct HostPort {
  std::string_view name, port;  // the port as written, "" when absent
};

// "name", "name:port", "[v6]", "[v6]:port" (RFC 9110, 7.2).
HostPort split(std::string_view host) {
  const std::size_t bracket = host.find(']');
  const std::size_t colon = host.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon == std::string_view::npos) return {host, ""};
  return {host.substr(0, colon), host.substr(colon + 1)};
}

bool is_loopback_name(std::string_view name) {
  return equals_ignoring_case(name, "localhost") || name == "127.0.0.1" || name == "[::1]";
}

constexpr std::size_t kBasicBytesMax = 1024;  // a key is far shorter

// The key in an Authorization header: a bearer token, or the password of Basic (RFC 7617), which is
// what HTTP clients make of http://USER:KEY@HOST where they have no setting for a key. "" when
// none.
std::string key_of(std::string_view authorization) {
  if (equals_ignoring_case(authorization.substr(0, 7), "bearer "))
    return std::string(trimmed(authorization.substr(7), kValueSpaces));
  if (!equals_ignoring_case(authorization.substr(0, 6), "basic ") ||
      authorization.size() > kBasicBytesMax)
    return "";
  const auto pair = base64_decoded(trimmed(authorization.substr(6), kValueSpaces));
  if (!pair) return "";
  const std::size_t colon = pair->find(':');
  return colon == std::string::npos ? "" : pair->substr(colon + 1);
}

}  // namespace

Guard::Guard(GuardOptions options, KeyStore& keys)
    : options_(std::move(options)),
      listen_name_(options_.listen_host.find(':') == std::string::npos
                       ? options_.listen_host
                       : "[" + options_.listen_host + "]"),
      port_(options_.listen_port),
      keys_(keys) {}

bool Guard::is_our_name(std::string_view host) const {
  const HostPort asked = split(host);
  for (const std::string& allowed : options_.allowed_hosts) {
    const HostPort ours = split(allowed);
    const bool port_fits = ours.port.empty() || asked.port == ours.port;
    if (port_fits && equals_ignoring_case(asked.name, ours.name)) return true;
  }
  const std::string port = std::to_string(port_.load());
  const bool port_fits = asked.port == port || (asked.port.empty() && port == "80");
  return port_fits &&
         (is_loopback_name(asked.name) || equals_ignoring_case(asked.name, listen_name_));
}

// A forwarded port (ssh -L, an editor's, a container's) brings requests for a loopback name with
// the port of the other end. No name of a stranger's DNS is a loopback name, so this lets none in.
bool Guard::is_our_host(std::string_view host) const {
  const HostPort asked = split(host);
  const bool is_port = asked.port.find_first_not_of("0123456789") == std::string_view::npos;
  return (is_port && is_loopback_name(asked.name)) || is_our_name(host);
}

Result<> Guard::check_host(const net::Headers& headers) const {
  const std::size_t hosts = count_of(headers, "host");
  if (hosts != 1)
    return fail(Code::kInvalid, "expected one Host header, found " + std::to_string(hosts));
  if (!is_our_host(trimmed(headers.get("host"), kValueSpaces)))
    return fail(Code::kMisdirected,
                "this server does not go by the name in the Host header; names beside loopback "
                "are listed in [server] allowed_hosts");
  return {};
}

Result<> Guard::check_origin(const net::Headers& headers) const {
  const auto origin = headers.find("origin");
  if (!origin) return {};
  std::string_view rest = trimmed(*origin, kValueSpaces);
  for (const std::string_view scheme : {"http://", "https://"})
    if (rest.starts_with(scheme)) {
      rest.remove_prefix(scheme.size());
      if (is_our_name(rest)) return {};
    }
  return fail(Code::kForbidden, "requests from web pages of other origins are refused");
}

Result<> Guard::check_content_type(const net::Request& head) const {
  if (head.method != "POST") return {};
  const std::string_view coding = trimmed(head.headers.get("content-encoding"), kValueSpaces);
  if (!coding.empty() && !equals_ignoring_case(coding, "identity"))
    return fail(Code::kInvalid,
                "content-encoding: send the body as it is; compressed ones are not read");
  const bool browser = head.headers.find("origin") || head.headers.find("sec-fetch-site") ||
                       head.headers.find("referer");
  if (!browser) return {};
  const std::string type = lowered(trimmed(head.headers.get("content-type"), kValueSpaces));
  const bool json = type.empty() || type.starts_with("application/json") ||
                    type.find("+json") != std::string::npos;
  if (json) return {};
  return fail(Code::kInvalid, "content-type: expected application/json");
}

Result<std::string> Guard::check_key(const net::Headers& headers, std::string_view in_path) const {
  constexpr std::string_view kHowTo =
      "; `tophand keys create NAME` makes one, `tophand keys list` shows those there are";
  const auto authorization = headers.find("authorization");
  const std::string authorized = authorization ? key_of(trimmed(*authorization, kValueSpaces)) : "";
  bool given = false;
  // Several at once: any of them may hold our key.
  for (const std::string_view secret :
       {in_path, std::string_view(authorized), trimmed(headers.get("x-api-key"), kValueSpaces)}) {
    if (secret.empty()) continue;
    TOPHAND_TRY(id, "keys", keys_.check(secret));
    if (id) return *std::move(id);
    given = true;
  }
  if (given)
    return fail(Code::kUnauthorized,
                "the API key is not one of this gateway's" + std::string(kHowTo));
  return fail(Code::kUnauthorized,
              "no API key: send it as `Authorization: Bearer KEY` or `x-api-key: KEY`, or give the "
              "client the address http://HOST/KEY" +
                  std::string(kHowTo));
}

Result<std::string> Guard::admit(const net::Request& head) const {
  if (auto checked = check_host(head.headers); !checked) return tl::unexpected(checked.error());
  if (auto checked = check_origin(head.headers); !checked) return tl::unexpected(checked.error());
  const Found found = find_route(head.method, head.path);
  const bool open = found.route != nullptr && found.route->access == Access::kPublic;
  std::string caller;
  if (!open) {
    auto key = check_key(head.headers, key_in(head.path));
    if (!key) return key;
    caller = *std::move(key);
  }
  if (auto checked = check_content_type(head); !checked) return tl::unexpected(checked.error());
  return caller;
}

}  // namespace tophand::server
