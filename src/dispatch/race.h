// Two attempts at one answer: the first whose content comes is given out, the other is stopped and
// never heard. For hedged requests. Private to dispatch/.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "dispatch/dispatch.h"
#include "dispatch/stop.h"

namespace tophand::dispatch {

class Race {
 public:
  // `client` and the stops outlive this. `won` is called once, when the first content comes.
  Race(Sink& client, std::array<Stop*, 2> stops, std::function<void()> won);

  // Where attempt 0 or 1 writes to; each from one thread.
  Sink& lane(std::size_t number) { return entrants_.at(number); }
  std::optional<std::size_t> winner() const;

 private:
  class Entrant final : public Sink {
   public:
    Entrant(Race& race, std::size_t number) : race_(race), number_(number) {}
    Takes trying(const Trying& attempt) override;
    void held(std::function<void()>) override {}  // nothing is given out before there is content
    Result<> event(const chat::StreamEvent& event) override;
    void together(bool on) override;
    Result<> head(int status, const net::Headers& kept, std::string_view type) override;
    Result<> raw(std::string_view bytes, const std::vector<chat::StreamEvent>& meaning) override;
    void asked() override;
    bool gathers() const override { return race_.client_.gathers(); }

   private:
    Result<> claim();

    Race& race_;
    const std::size_t number_;
    policy::Target target_;
    std::vector<std::string> reasons_;
    std::int64_t attempt_ = 1;
  };

  Sink& client_;
  const std::array<Stop*, 2> stops_;
  const std::function<void()> won_;
  std::mutex client_mutex_;   // both threads call client_; taken before mutex_
  mutable std::mutex mutex_;  // guards winner_
  std::optional<std::size_t> winner_;
  std::array<Entrant, 2> entrants_{Entrant(*this, 0), Entrant(*this, 1)};
};

}  // namespace tophand::dispatch
