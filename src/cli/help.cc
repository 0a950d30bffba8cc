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

// Words a shell offers after `tophand NAME `.
std::string flag_words(const Command& command) {
  std::string words;
  for (const Flag& flag : command.flags) (words += flag.name) += ' ';
  return words + "--help";
}

void complete_bash(std::span<const Command* const> commands, std::ostream& out) {
  out << "_tophand() {\n  local words=\"${COMP_WORDS[*]:1:COMP_CWORD-1}\" "
         "cur=${COMP_WORDS[COMP_CWORD]}\n"
         "  case \"$words\" in\n";
  for (const Command* command : commands)
    if (!command->hidden)
      out << "    '" << command->name << "'|'" << command->name << " '*) COMPREPLY=($(compgen -W '"
          << flag_words(*command) << "' -- \"$cur\")) ;;\n";
  out << "    '') COMPREPLY=($(compgen -W '";
  for (const Command* command : commands)
    if (!command->hidden) out << command->name.substr(0, command->name.find(' ')) << ' ';
  out << "help' -- \"$cur\")) ;;\n  esac\n}\ncomplete -o default -F _tophand tophand\n";
}

void complete_zsh(std::span<const Command* const> commands, std::ostream& out) {
  out << "#compdef tophand\nautoload -U +X bashcompinit && bashcompinit\n";
  complete_bash(commands, out);
}

void complete_fish(std::span<const Command* const> commands, std::ostream& out) {
  for (const Command* command : commands) {
    if (command->hidden) continue;
    const std::string_view first = command->name.substr(0, command->name.find(' '));
    out << "complete -c tophand -n __fish_use_subcommand -a " << first << " -d '"
        << command->summary << "'\n";
    for (const Flag& flag : command->flags)
      out << "complete -c tophand -n '__fish_seen_subcommand_from " << first << "' -l "
          << flag.name.substr(2) << (flag.value.empty() ? "" : " -r") << " -d '" << flag.help
          << "'\n";
  }
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

bool print_completion(std::string_view shell, std::span<const Command* const> commands,
                      std::ostream& out) {
  if (shell == "bash") complete_bash(commands, out);
  else if (shell == "zsh") complete_zsh(commands, out);
  else if (shell == "fish") complete_fish(commands, out);
  else return false;
  return true;
}

}  // namespace tophand::cli
