// Tells systemd how a service is doing (sd_notify(3)'s protocol, without its library): one datagram
// to the socket that $NOTIFY_SOCKET names. Does nothing when the variable is not set.
#pragma once

#include <string_view>

namespace tophand {

// `state`: newline-separated assignments, such as "READY=1", "STOPPING=1", "WATCHDOG=1" or
// "STATUS=...". True when it was delivered. Thread-safe as long as nobody changes the environment.
bool sd_notify(std::string_view state);

// Microseconds within which the watchdog wants its next "WATCHDOG=1"; 0 when it does not watch this
// process ($WATCHDOG_USEC, $WATCHDOG_PID). Send at half of it.
long long sd_watchdog_usec();

}  // namespace tophand
