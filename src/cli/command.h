// A subcommand of `tophand`. Commands get everything they touch handed in and return an exit code,
// so that each can be tested by calling it.
#pragma once

#include <iosfwd>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tophand::cli {

struct Io {
  std::ostream& out;             // results: stable, parseable; JSON with --json
  std::ostream& err;             // progress and diagnostics
  bool out_is_terminal = false;  // colours only when true
  bool err_is_terminal = false;  // progress bars only when true
};

// One option of a command, for parsing, help and completion alike.
struct Flag {
  std::string_view name;   // "--json"
  std::string_view value;  // placeholder, "FILE"; "" for a switch
  std::string_view help;
  bool repeats = false;  // given several times, its values are lines of one
};

struct Command {
  std::string_view name;       // "pull", "config check"
  std::string_view arguments;  // "NAME|FILE|URL"
  std::string_view summary;    // one line
  std::string_view help;       // more lines, examples; may be ""
  std::span<const Flag> flags;
  std::size_t positional_min = 0, positional_max = 0;
  int (*run)(Io& io, const struct Arguments& args) = nullptr;
  bool hidden = false;
};

struct Arguments {
  std::vector<std::string> positional;
  std::map<std::string, std::string, std::less<>> flags;  // "--json" -> "" or the value
  std::vector<std::string> rest;                          // after "--"

  bool has(std::string_view flag) const { return flags.find(flag) != flags.end(); }
  std::string get(std::string_view flag, std::string_view fallback = "") const;
  // kInvalid when it is not a whole number in [min, max].
  Result<std::int64_t> get_int(std::string_view flag, std::int64_t fallback, std::int64_t min,
                               std::int64_t max) const;
};

// Prints "tophand: message" and returns the code's exit status.
int report(Io& io, const Error& error);

// Checks flags and counts, handles --help, runs. Unknown names get the nearest known one.
int dispatch(std::span<const Command* const> commands, Io& io, std::span<const std::string> argv);

}  // namespace tophand::cli
