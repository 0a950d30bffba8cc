#include "net/local_host.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <memory>
#include <string>

#include "base/ascii.h"

namespace tophand::net {
namespace {

struct Address {
  in_addr v4{};
  in6_addr v6{};
  int family = AF_UNSPEC;  // the host is a name
};

Address read_address(const std::string& host) {
  Address address;
  if (::inet_pton(AF_INET, host.c_str(), &address.v4) == 1) address.family = AF_INET;
  else if (::inet_pton(AF_INET6, host.c_str(), &address.v6) == 1) address.family = AF_INET6;
  return address;
}

bool is_loopback(const Address& address) {
  if (address.family == AF_INET) return (ntohl(address.v4.s_addr) >> 24) == 127;
  return IN6_IS_ADDR_LOOPBACK(&address.v6);
}

bool is_of_interface(const Address& address) {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return false;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> all(first, ::freeifaddrs);
  for (const ifaddrs* one = first; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != address.family) continue;
    // sockaddr is the head of the one its family names (socket(7)).
    sockaddr_in v4{};
    sockaddr_in6 v6{};
    if (address.family == AF_INET) {
      std::memcpy(&v4, one->ifa_addr, sizeof v4);
      if (v4.sin_addr.s_addr == address.v4.s_addr) return true;
    } else {
      std::memcpy(&v6, one->ifa_addr, sizeof v6);
      if (IN6_ARE_ADDR_EQUAL(&v6.sin6_addr, &address.v6)) return true;
    }
  }
  return false;
}

bool is_our_name(std::string_view name) {
  if (equals_ignoring_case(name, "localhost")) return true;
  std::array<char, 256> own{};
  return ::gethostname(own.data(), own.size() - 1) == 0 && equals_ignoring_case(name, own.data());
}

}  // namespace

bool is_this_machine(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  const Address address = read_address(std::string(host));
  if (address.family == AF_UNSPEC) return is_our_name(host);
  return is_loopback(address) || is_of_interface(address);
}

}  // namespace tophand::net
