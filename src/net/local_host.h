// Which names and addresses are this machine's own.
#pragma once

#include <string_view>

namespace tophand::net {

// "localhost", 127.0.0.0/8, ::1, the machine's name, and the addresses of its interfaces, with or
// without the brackets that a URL has around IPv6. Asks no name server: what is not known is not
// ours.
bool is_this_machine(std::string_view host);

}  // namespace tophand::net
