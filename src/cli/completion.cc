// What a shell offers behind `tophand`: one table of the words at each place, printed for bash, zsh
// and fish. tests/e2e/completion_test.py asks the shells themselves.
#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

#include "cli/help.h"

namespace tophand::cli {
namespace {

using Commands = std::span<const Command* const>;

struct Offer {
  std::string word, about;
};

// What may follow the words `after`: "" (the first word), "config", "config check".
struct Place {
  std::string after;
  std::vector<Offer> words = {};     // offered directly behind
  const Command* command = nullptr;  // whose options are offered anywhere behind; may be null
  std::span<const Flag> flags() const {
    return command == nullptr ? std::span<const Flag>() : command->flags;
  }
};

std::string first_word(std::string_view name) {
  return std::string(name.substr(0, name.find(' ')));
}

// "list|create NAME|revoke ID": list, create, revoke. What is written large stands for something.
std::vector<Offer> words_in(std::string_view arguments) {
  std::vector<Offer> words;
  while (!arguments.empty()) {
    const std::size_t bar = arguments.find('|');
    const std::string word = first_word(arguments.substr(0, bar));
    const auto is_plain = [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; };
    if (!word.empty() && word[0] != '-' && std::ranges::all_of(word, is_plain))
      words.push_back({word, ""});
    if (bar == std::string_view::npos) break;
    arguments.remove_prefix(bar + 1);
  }
  return words;
}

Place& place_after(std::vector<Place>& places, const std::string& after) {
  const auto found = std::ranges::find(places, after, &Place::after);
  return found != places.end() ? *found : places.emplace_back(Place{.after = after});
}

// A group, "config", is offered once and says what it has.
void add_first_word(std::vector<Offer>& words, const Command& command) {
  const std::string first = first_word(command.name);
  if (first == command.name) {
    words.push_back({first, std::string(command.summary)});
    return;
  }
  const std::string second(command.name.substr(first.size() + 1));
  const auto found = std::ranges::find(words, first, &Offer::word);
  if (found == words.end()) words.push_back({first, second});
  else found->about += ", " + second;
}

std::vector<Place> places_of(Commands commands) {
  std::vector<Place> places{{.after = ""}};
  std::vector<Offer> first;
  for (const Command* command : commands) {
    if (command->hidden) continue;
    add_first_word(first, *command);
    const std::string name(command->name), group = first_word(name);
    if (group != name)
      place_after(places, group)
          .words.push_back({name.substr(group.size() + 1), std::string(command->summary)});
    Place& own = place_after(places, name);
    own.command = command;
    std::ranges::move(words_in(command->arguments), std::back_inserter(own.words));
  }
  place_after(places, "help").words = first;
  first.push_back({"help", "Say more about a command"});
  places.front().words = std::move(first);
  // The longer first: a `case` takes the first that fits.
  std::ranges::sort(places, [](const Place& one, const Place& other) {
    return one.after.size() != other.after.size() ? one.after.size() > other.after.size()
                                                  : one.after < other.after;
  });
  return places;
}

// Within '...', where `quote` is what stands for an apostrophe.
std::string quoted(std::string_view text, std::string_view quote) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += quote;
    else if (c == '\\' && quote == "\\'") out += "\\\\";  // fish reads these in '...', too
    else out += c;
  }
  return out + "'";
}
constexpr std::string_view kQuoteInShell = "'\\''", kQuoteInFish = "\\'";

// "--config|--data": behind these stands a value, of which only files can be offered.
std::string flags_with_values(const Place& place) {
  std::string names;
  for (const Flag& flag : place.flags())
    if (!flag.value.empty()) (names += names.empty() ? "" : "|") += flag.name;
  return names;
}

// A `case` over the words before the one that is being typed. `offer` prints the list of a branch.
template <class Offering>
void print_cases(const std::vector<Place>& places, std::ostream& out, const Offering& offer) {
  for (const Place& place : places) {
    const std::vector<Offer> none;
    const std::string values = flags_with_values(place);
    const auto branch = [&](const std::string& pattern, const std::vector<Offer>& words) {
      out << "    " << pattern << ")\n";
      if (!values.empty()) out << "      case \"$before\" in " << values << ") of_file=1 ;; esac\n";
      offer(words, place);
      out << "      ;;\n";
    };
    branch("'" + place.after + "'", place.words);
    if (place.command != nullptr) branch("'" + place.after + " '*", none);
  }
}

void complete_bash(const std::vector<Place>& places, std::ostream& out) {
  out << "_tophand() {\n"
         "  local cur=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
         "  local offered='' of_file=''\n"
         "  case \"${COMP_WORDS[*]:1:COMP_CWORD-1}\" in\n";
  print_cases(places, out, [&](const std::vector<Offer>& words, const Place& place) {
    out << "      offered='";
    for (const Offer& offer : words) out << offer.word << ' ';
    for (const Flag& flag : place.flags()) out << flag.name << ' ';
    out << "--help'\n";
  });
  out << "  esac\n"
         "  COMPREPLY=()\n"
         "  [ -n \"$of_file\" ] || COMPREPLY=($(compgen -W \"$offered\" -- \"$cur\"))\n"
         "}\n"
         "complete -o default -F _tophand tophand\n";
}

// A function of zsh's own: bashcompinit would lose the first TAB of a shell.
void complete_zsh(const std::vector<Place>& places, std::ostream& out) {
  out << "#compdef tophand\n"
         "_tophand() {\n"
         "  local before=\"${words[CURRENT-1]}\" of_file=''\n"
         "  local -a offered\n"
         "  case \"${(j: :)words[2,CURRENT-1]}\" in\n";
  print_cases(places, out, [&](const std::vector<Offer>& words, const Place& place) {
    out << "      offered=(";
    for (const Offer& offer : words)
      out << "\n        "
          << quoted(offer.about.empty() ? offer.word : offer.word + ":" + offer.about,
                    kQuoteInShell);
    for (const Flag& flag : place.flags())
      out << "\n        "
          << quoted(std::string(flag.name) + ":" + std::string(flag.help), kQuoteInShell);
    out << "\n        '--help:say more')\n";
  });
  out << "  esac\n"
         "  [[ -z \"$of_file\" ]] && _describe -t words 'tophand' offered && return\n"
         "  _files\n"
         "}\n"
         "if [[ \"${funcstack[1]}\" = _tophand ]]; then _tophand \"$@\"\n"
         "else compdef _tophand tophand\n"
         "fi\n";
}

void complete_fish(const std::vector<Place>& places, std::ostream& out) {
  out << "# The words before the one that is being typed, without options: exactly these, or these "
         "first.\n"
         "function __tophand_at\n"
         "    set -l typed (string match -v -- '-*' (commandline -opc))\n"
         "    set -e typed[1]\n"
         "    test \"$typed\" = \"$argv\"\n"
         "end\n"
         "function __tophand_in\n"
         "    set -l typed (string match -v -- '-*' (commandline -opc))\n"
         "    set -e typed[1]\n"
         "    set -l count (count $argv)\n"
         "    test (count $typed) -ge $count; and test \"$typed[1..$count]\" = \"$argv\"\n"
         "end\n"
         "complete -c tophand -l help -s h -d 'say more'\n";
  for (const Place& place : places) {
    for (const Offer& offer : place.words)
      out << "complete -c tophand -f -n '__tophand_at " << place.after << "' -a " << offer.word
          << (offer.about.empty() ? "" : " -d " + quoted(offer.about, kQuoteInFish)) << '\n';
    for (const Flag& flag : place.flags())
      out << "complete -c tophand -n '__tophand_in " << place.after << "' -l "
          << flag.name.substr(2) << (flag.value.empty() ? "" : " -r") << " -d "
          << quoted(flag.help, kQuoteInFish) << '\n';
  }
}

}  // namespace

bool print_completion(std::string_view shell, Commands commands, std::ostream& out) {
  const std::vector<Place> places = places_of(commands);
  if (shell == "bash") complete_bash(places, out);
  else if (shell == "zsh") complete_zsh(places, out);
  else if (shell == "fish") complete_fish(places, out);
  else return false;
  return true;
}

}  // namespace tophand::cli
