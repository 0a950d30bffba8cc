// Places at which a crash is tried. They are nothing in the program: only the crash tests are built
// with TOPHAND_KILLPOINTS and say what happens there. Private to this room.
#pragma once

#ifdef TOPHAND_KILLPOINTS
namespace tophand::ledger {
void killpoint(const char* name);  // the test's
}
#define TOPHAND_KILLPOINT(name) ::tophand::ledger::killpoint(name)
#else
#define TOPHAND_KILLPOINT(name) static_cast<void>(0)
#endif
