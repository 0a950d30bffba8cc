// A client's configuration as text, with Tophand put in and taken out again. Pure; connect_cmd.cc
// reads and writes the files.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/client_settings.h"

namespace tophand::cli {

// What was done to a client's file, kept in DATA/connect/CLIENT.json until it is undone.
struct Connection {
  std::string file = {};
  bool existed = false;                 // the file was there before
  std::string before = {}, after = {};  // its whole text
  std::string copy = {};  // where the file as it was is kept, by us; "" when it is not
  std::string key = {};   // the client's API key; "" when it was given by the user
  std::vector<Setting> settings = {};
};

std::string write_connection(const Connection& connection);
// kCorrupt when the text is not one of ours.
Result<Connection> read_connection(std::string_view text);

// `text` with the client's settings in it (or the client's whole file).
Result<std::string> connected(std::string_view text, ClientKind kind, const GatewayAccess& access);

struct Undone {
  std::string text;
  std::vector<std::string> left_alone;  // members that were changed since, "env.ANTHROPIC_BASE_URL"
};

// `text` without what the connection put in: the exact bytes of before when nothing else has
// changed, else each member as it was. A member that has another value now is left alone.
Result<Undone> disconnected(std::string_view text, const Connection& connection);

}  // namespace tophand::cli
