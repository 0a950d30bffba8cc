#include <algorithm>
#include <ostream>

#include "base/nearest.h"
#include "cli/command.h"
#include "cli/help.h"

namespace tophand::cli {
namespace {

constexpr int kWrongUse = 2;

int wrong_use(Io& io, const std::string& message, std::string_view command) {
  io.err << "tophand: " << message << "\nSee `tophand" << (command.empty() ? "" : " ") << command
         << " --help`.\n";
  return kWrongUse;
}

std::string suggestion(std::string_view typed, const std::vector<std::string_view>& known) {
  const std::string near = nearest_name(typed, known);
  return near.empty() ? "" : "; did you mean `" + near + "`?";
}

// Matches the longest name, so that "config check" wins over "config". Words taken in `used`.
const Command* find_command(std::span<const Command* const> commands,
                            std::span<const std::string> argv, std::size_t& used) {
  const Command* found = nullptr;
  used = 0;
  for (const Command* command : commands) {
    const auto words = static_cast<std::size_t>(std::ranges::count(command->name, ' ')) + 1;
    if (words > argv.size() || words <= used) continue;
    std::string joined = argv[0];
    for (std::size_t i = 1; i < words; ++i) joined += " " + argv[i];
    if (joined != command->name) continue;
    found = command;
    used = words;
  }
  return found;
}

const Flag* find_flag(const Command& command, std::string_view name) {
  const auto it = std::ranges::find(command.flags, name, &Flag::name);
  return it == command.flags.end() ? nullptr : &*it;
}

// One "--x", "--x=V" or "--x V"; advances `index` past a value taken from the next word.
Result<> take_flag(const Command& command, std::span<const std::string> words, std::size_t& index,
                   Arguments& out) {
  const std::string& word = words[index];
  const std::size_t equals = word.find('=');
  const std::string name = word.substr(0, equals);
  const Flag* flag = find_flag(command, name);
  if (flag == nullptr) {
    std::vector<std::string_view> known;
    for (const Flag& each : command.flags) known.push_back(each.name);
    return fail(Code::kInvalid, "unknown option " + name + suggestion(name, known));
  }
  if (flag->value.empty()) {
    if (equals != std::string::npos) return fail(Code::kInvalid, name + " takes no value");
    out.flags[name] = "";
    return {};
  }
  const auto take = [&](std::string value) {
    std::string& taken = out.flags[name];
    taken = flag->repeats && !taken.empty() ? taken + "\n" + value : std::move(value);
  };
  if (equals != std::string::npos) {
    take(word.substr(equals + 1));
    return {};
  }
  if (index + 1 >= words.size())
    return fail(Code::kInvalid, name + " needs a value: " + name + " " + std::string(flag->value));
  take(words[++index]);
  return {};
}

Result<Arguments> parse(const Command& command, std::span<const std::string> words) {
  Arguments out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--") {
      out.rest.assign(words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end());
      break;
    }
    if (word.size() > 1 && word[0] == '-')
      TOPHAND_CHECK(command.name, take_flag(command, words, i, out));
    else out.positional.push_back(word);
  }
  // What follows "--" is positional too, for text that starts with a dash.
  out.positional.insert(out.positional.end(), out.rest.begin(), out.rest.end());
  if (out.positional.size() < command.positional_min)
    return fail(Code::kInvalid,
                std::string(command.name) + ": expected " + std::string(command.arguments));
  if (out.positional.size() > command.positional_max)
    return fail(Code::kInvalid, std::string(command.name) + ": unexpected '" +
                                    out.positional[command.positional_max] + "'");
  return out;
}

// "bench: bench: why" and "--context: --context must be": steps name what their callers named.
std::string without_echoes(std::string message) {
  for (std::size_t at = 0, colon; (colon = message.find(": ", at)) != std::string::npos;) {
    const std::string_view step = std::string_view(message).substr(at, colon - at);
    const std::string_view rest = std::string_view(message).substr(colon + 2);
    const bool echo = rest.starts_with(step) && rest.size() > step.size() &&
                      (rest[step.size()] == ':' || rest[step.size()] == ' ');
    if (echo) message.erase(at, step.size() + 2);
    else at = colon + 2;
  }
  return message;
}

bool asks_for_help(std::span<const std::string> words) {
  for (const std::string& word : words) {
    if (word == "--") return false;
    if (word == "--help" || word == "-h") return true;
  }
  return false;
}

int unknown_command(std::span<const Command* const> commands, Io& io,
                    std::span<const std::string> argv) {
  std::vector<std::string_view> known;
  std::string group;  // "config" alone: list what there is under it
  for (const Command* command : commands) {
    if (!command->hidden) known.push_back(command->name);
    if (command->name.starts_with(argv[0] + " "))
      (group += group.empty() ? "" : ", ") += "`tophand " + std::string(command->name) + "`";
  }
  if (!group.empty()) return wrong_use(io, "'" + argv[0] + "' is one of " + group, "");
  return wrong_use(io, "unknown command '" + argv[0] + "'" + suggestion(argv[0], known), "");
}

}  // namespace

int report(Io& io, const Error& error) {
  io.err << "tophand: " << without_echoes(error.message) << '\n';
  return info(error.code).exit_code;
}

int dispatch(std::span<const Command* const> commands, Io& io, std::span<const std::string> argv) {
  if (argv.empty() || argv[0] == "help" || argv[0] == "--help" || argv[0] == "-h") {
    if (argv.size() < 2) {
      print_overview(commands, argv.empty() ? io.err : io.out);
      return argv.empty() ? kWrongUse : 0;
    }
    argv = argv.subspan(1);
    std::size_t used = 0;
    const Command* command = find_command(commands, argv, used);
    if (command == nullptr && argv.size() == 1 && print_group_help(argv[0], commands, io.out))
      return 0;
    if (command == nullptr) return unknown_command(commands, io, argv);
    print_help(*command, io.out);
    return 0;
  }
  std::size_t used = 0;
  const Command* command = find_command(commands, argv, used);
  if (command == nullptr && argv.size() == 2 && asks_for_help(argv.subspan(1)) &&
      print_group_help(argv[0], commands, io.out))
    return 0;
  if (command == nullptr) return unknown_command(commands, io, argv);
  const auto words = argv.subspan(used);
  if (asks_for_help(words)) {
    print_help(*command, io.out);
    return 0;
  }
  const auto arguments = parse(*command, words);
  if (!arguments) return wrong_use(io, arguments.error().message, command->name);
  return command->run(io, *arguments);
}

}  // namespace tophand::cli
