#include "dispatch/race.h"

#include <utility>
#include <variant>

namespace tophand::dispatch {

Race::Race(Sink& client, std::array<Stop*, 2> stops, std::function<void()> won)
    : client_(client), stops_(stops), won_(std::move(won)) {}

std::optional<std::size_t> Race::winner() const {
  const std::lock_guard lock(mutex_);
  return winner_;
}

// The client is told of the first one at once, so that it hears something while it waits, and of
// the other when that has won.
Sink::Takes Race::Entrant::trying(const Trying& attempt) {
  target_ = attempt.target;
  reasons_ = attempt.reasons;
  attempt_ = attempt.number;
  const std::lock_guard lock(race_.client_mutex_);
  if (number_ == 0 && !race_.winner()) race_.client_.trying(attempt);
  return Takes::kEvents;
}

void Race::Entrant::asked() {
  const std::lock_guard lock(race_.client_mutex_);
  race_.client_.asked();
}

Result<> Race::Entrant::claim() {
  {
    const std::lock_guard lock(race_.mutex_);
    if (race_.winner_) {
      if (*race_.winner_ == number_) return {};
      return fail(Code::kCancelled, "the other attempt was faster");
    }
    race_.winner_ = number_;
  }
  race_.stops_.at(1 - number_)->fire();
  race_.won_();
  if (number_ == 0) return {};
  const std::lock_guard lock(race_.client_mutex_);
  race_.client_.trying({.target = target_, .reasons = reasons_, .number = attempt_});
  return {};
}

Result<> Race::Entrant::event(const chat::StreamEvent& event) {
  if (std::holds_alternative<chat::Progress>(event)) {
    const std::lock_guard lock(race_.client_mutex_);
    const auto winner = race_.winner();
    return !winner || *winner == number_ ? race_.client_.event(event) : Result<>();
  }
  if (auto mine = claim(); !mine) return mine;
  const std::lock_guard lock(race_.client_mutex_);
  return race_.client_.event(event);
}

void Race::Entrant::together(bool on) {
  const std::lock_guard lock(race_.client_mutex_);
  if (race_.winner() == number_) race_.client_.together(on);
}

Result<> Race::Entrant::head(int status, const net::Headers& kept, std::string_view type) {
  if (auto mine = claim(); !mine) return mine;
  const std::lock_guard lock(race_.client_mutex_);
  return race_.client_.head(status, kept, type);
}

Result<> Race::Entrant::raw(std::string_view bytes, const std::vector<chat::StreamEvent>& meaning) {
  if (auto mine = claim(); !mine) return mine;
  const std::lock_guard lock(race_.client_mutex_);
  return race_.client_.raw(bytes, meaning);
}

}  // namespace tophand::dispatch
