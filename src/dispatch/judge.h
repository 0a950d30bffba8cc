// How a judge is asked which of two answers would do: the request that puts both to it, and what
// its reply says. The judge does not know which is whose, and is asked twice, the second time with
// the two in the other order, because judges favour a place. Pure. Private to dispatch/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "chat/conversation.h"

namespace tophand::dispatch {

// What the judge is given of a request and its two answers, at most so many bytes each.
inline constexpr std::size_t kJudgedBytesMax = 48u << 10;

struct Pairing {
  std::string_view task, first, second;
  std::string_view fence;  // random: no text to be judged may know it, or it could end itself
};
chat::Request judge_request(const Pairing& pairing);

struct Verdict2 {
  bool first_is_good = false, second_is_good = false;
};
// "A=yes B=no" and the like; nothing when the reply is of another form.
std::optional<Verdict2> read_verdict(std::string_view reply);

// Of two replies about one answer; nothing when they contradict each other.
std::optional<bool> agreed(bool once, bool again);

}  // namespace tophand::dispatch
