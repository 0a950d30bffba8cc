// Who is next for something scarce, so that no agent starves the others: deficit round robin with
// weights (Shreedhar and Varghese, "Efficient Fair Queuing using Deficit Round-Robin", IEEE/ACM
// Transactions on Networking 4(3), 1996, section III). Agents that wait are visited in turn; a
// visit gives an agent `quantum` times its weight to spend, and its requests go, oldest first,
// while that covers what they cost. What is left is kept for the next visit, but only while
// something waits: an idle agent saves nothing up. An agent alone gets everything.
//
// Pure and not thread-safe: the owner (a limiter in dispatch/) locks. enqueue() and remove() take
// time logarithmic in the agents that wait; next() is constant on average while requests cost no
// more than a quantum, else it looks at every waiting agent once or twice, however dear they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace tophand::policy {

class FairQueue {
 public:
  using Ticket = std::uint64_t;  // the owner's name of a request
  using Weights = std::map<std::string, std::int64_t, std::less<>>;

  // quantum: in the unit of costs, what a visit is worth to an agent of weight 1. Bounded to
  // 1..10^12, as weights are to 1..1000; agents without a weight have 1.
  explicit FairQueue(std::int64_t quantum, Weights weights = {});

  // cost: what the request is expected to use up, bounded to 1..10^15. Each ticket is given once.
  void enqueue(std::string_view agent, Ticket ticket, std::int64_t cost);
  // The request whose turn it is, taken out; nothing when none waits.
  std::optional<Ticket> next();
  // It does not want any more. False when it does not wait.
  bool remove(std::string_view agent, Ticket ticket);
  // For a room that is full: takes out the newest request of the agent that has the most waiting
  // for its weight, so that a flood drowns itself. Nothing when one more of `agent` would be as
  // many.
  std::optional<Ticket> push_out_for(std::string_view agent);
  // A request turned out to use `actual` and not the `expected` it was queued with: the difference
  // is made up in the agent's next turns, if it has more waiting.
  void correct(std::string_view agent, std::int64_t expected, std::int64_t actual);

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  struct Item {
    Ticket ticket = 0;
    std::int64_t cost = 1;
  };
  struct Agent {  // has something waiting
    std::string name;
    std::int64_t weight = 1;
    std::int64_t deficit = 0;
    bool visited = false;  // has been given its quantum in this visit
    std::deque<Item> waiting;
  };
  using Turn = std::list<Agent>::iterator;

  std::int64_t weight_of(std::string_view agent) const;
  std::int64_t worth(const Agent& agent) const { return quantum_ * agent.weight; }
  void skip_idle_rounds();
  void leave_if_empty(Turn turn);

  const std::int64_t quantum_;
  const Weights weights_;
  std::list<Agent> turns_;  // the front is being visited
  std::map<std::string, Turn, std::less<>> agents_;
  std::size_t size_ = 0;
};

}  // namespace tophand::policy
