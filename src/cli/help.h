// Help texts and shell completion, all from the command table.
#pragma once

#include <iosfwd>
#include <span>
#include <string_view>

#include "cli/command.h"

namespace tophand::cli {

void print_overview(std::span<const Command* const> commands, std::ostream& out);
void print_help(const Command& command, std::ostream& out);
// What there is under "config" alone; false where nothing is.
bool print_group_help(std::string_view group, std::span<const Command* const> commands,
                      std::ostream& out);
// shell: "bash", "zsh" or "fish"; false for others.
bool print_completion(std::string_view shell, std::span<const Command* const> commands,
                      std::ostream& out);

std::span<const Command* const> command_table();  // every command, in the order of the overview

}  // namespace tophand::cli
