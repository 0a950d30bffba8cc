#include "cli/help.h"

#include <algorithm>
#include <ostream>
#include <string>

namespace tophand::cli {
namespace {

void print_columns(std::ostream& out, std::string_view left, std::string_view right,
                   std::size_t width) {
  out << "  " << left;
  for (std::size_t i = left.size(); i < width + 2; ++i) out << ' ';
  out << right << '\n';
}

std::string flag_text(const Flag& flag) {
  return std::string(flag.name) + (flag.value.empty() ? "" : " " + std::string(flag.value));
}

}  // namespace

void print_overview(std::span<const Command* const> commands, std::ostream& out) {
  out << "Tophand answers routine LLM work on this machine and keeps Claude for what needs it.\n\n"
         "usage: tophand COMMAND [ARGUMENTS] [OPTIONS]\n\n";
  std::size_t width = 0;
  for (const Command* command : commands)
    if (!command->hidden) width = std::max(width, command->name.size());
  for (const Command* command : commands)
    if (!command->hidden) print_columns(out, command->name, command->summary, width);
  out << "\n`tophand COMMAND --help` says more about one. Exit codes: 0 done, 1 the work failed, 2 "
         "wrong\n"
         "use or configuration, 3 nothing to do it with (no model, no backend, no gateway).\n";
}

void print_help(const Command& command, std::ostream& out) {
  out << "usage: tophand " << command.name;
  if (!command.arguments.empty()) out << ' ' << command.arguments;
  if (!command.flags.empty()) out << " [OPTIONS]";
  out << "\n\n" << command.summary << ".\n";
  if (!command.help.empty()) out << '\n' << command.help;
  if (command.flags.empty()) return;
  std::size_t width = 0;
  for (const Flag& flag : command.flags) width = std::max(width, flag_text(flag).size());
  out << "\noptions:\n";
  for (const Flag& flag : command.flags) print_columns(out, flag_text(flag), flag.help, width);
}

bool print_group_help(std::string_view group, std::span<const Command* const> commands,
                      std::ostream& out) {
  std::size_t width = 0;
  const auto is_in = [&](const Command& command) {
    return !command.hidden && command.name.size() > group.size() + 1 &&
           command.name.starts_with(group) && command.name[group.size()] == ' ';
  };
  for (const Command* command : commands)
    if (is_in(*command)) width = std::max(width, command->name.size());
  if (width == 0) return false;
  out << "usage: tophand " << group << " COMMAND [ARGUMENTS] [OPTIONS]\n\n";
  for (const Command* command : commands)
    if (is_in(*command)) print_columns(out, command->name, command->summary, width);
  out << "\n`tophand " << group << " COMMAND --help` says more about one.\n";
  return true;
}

}  // namespace tophand::cli
