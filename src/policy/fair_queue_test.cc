#include "policy/fair_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <vector>

namespace tophand::policy {
namespace {

using Ticket = FairQueue::Ticket;

struct Waiting {
  std::string agent;
  Ticket ticket;
  std::int64_t cost;
};

std::vector<Ticket> drain(FairQueue& queue) {
  std::vector<Ticket> order;
  while (const auto ticket = queue.next()) order.push_back(*ticket);
  return order;
}

TEST(FairQueue, TakesTheAgentsInTurnAndEachOnesRequestsInOrder) {
  FairQueue queue(1);
  for (const Waiting& one : std::vector<Waiting>{
           {"a", 1, 1}, {"a", 2, 1}, {"a", 3, 1}, {"b", 10, 1}, {"c", 20, 1}, {"c", 21, 1}})
    queue.enqueue(one.agent, one.ticket, one.cost);
  EXPECT_EQ(queue.size(), 6u);
  EXPECT_EQ(drain(queue), (std::vector<Ticket>{1, 10, 20, 2, 21, 3}));
  EXPECT_TRUE(queue.empty());
}

// The paper's example (its figures 2 and 3): quantum 500; queue 1 holds 200, 750, 20; the
// first visit sends 200 and keeps 300, which with the next quantum pays for 750 and 20.
TEST(FairQueue, KeepsWhatIsLeftOfAVisitForTheNext) {
  FairQueue queue(500);
  queue.enqueue("1", 1, 200);
  queue.enqueue("1", 2, 750);
  queue.enqueue("1", 3, 20);
  queue.enqueue("2", 4, 500);
  queue.enqueue("2", 5, 500);
  EXPECT_EQ(drain(queue), (std::vector<Ticket>{1, 4, 2, 3, 5}));
}

TEST(FairQueue, SavesNothingUpForAnAgentThatWaitsForNothing) {
  FairQueue queue(100);
  for (Ticket round = 0; round < 50; ++round) {  // 99 would be left over each time
    queue.enqueue("idle", round, 1);
    EXPECT_EQ(queue.next(), round);
  }
  for (Ticket i = 100; i < 104; ++i) queue.enqueue("idle", i, 100);
  for (Ticket i = 200; i < 204; ++i) queue.enqueue("other", i, 100);
  EXPECT_EQ(drain(queue), (std::vector<Ticket>{100, 200, 101, 201, 102, 202, 103, 203}));
}

TEST(FairQueue, GivesAnAgentAloneEverything) {
  FairQueue queue(1, {{"light", 1}});
  for (Ticket i = 0; i < 100; ++i) queue.enqueue("light", i, 1'000'000);
  EXPECT_EQ(drain(queue).size(), 100u);
}

TEST(FairQueue, ForgetsWhatNoLongerWants) {
  FairQueue queue(1);
  queue.enqueue("a", 1, 1);
  queue.enqueue("a", 2, 1);
  queue.enqueue("b", 3, 1);
  EXPECT_TRUE(queue.remove("a", 1));
  EXPECT_FALSE(queue.remove("a", 1));
  EXPECT_FALSE(queue.remove("nobody", 2));
  EXPECT_TRUE(queue.remove("b", 3));
  EXPECT_EQ(drain(queue), std::vector<Ticket>{2});
}

TEST(FairQueue, PushesOutTheNewestOfTheAgentWithTheMost) {
  FairQueue queue(1, {{"heavy", 4}});
  for (Ticket i = 0; i < 4; ++i) queue.enqueue("greedy", i, 1);
  for (Ticket i = 10; i < 14; ++i) queue.enqueue("heavy", i, 1);
  EXPECT_EQ(queue.push_out_for("modest"), 3u);
  EXPECT_EQ(queue.push_out_for("greedy"), std::nullopt) << "its own are the most";
  EXPECT_EQ(queue.push_out_for("modest"), 2u);
  EXPECT_EQ(queue.push_out_for("modest"), 1u);
  EXPECT_EQ(queue.push_out_for("modest"), std::nullopt) << "nobody has more for its weight";
  EXPECT_EQ(queue.size(), 5u);
  EXPECT_EQ(FairQueue(1).push_out_for("a"), std::nullopt);
}

TEST(FairQueue, MakesUpForWhatARequestReallyUsed) {
  FairQueue queue(10);
  for (Ticket i = 0; i < 6; ++i) queue.enqueue("cheap", i, 10);
  for (Ticket i = 10; i < 16; ++i) queue.enqueue("dear", i, 10);
  EXPECT_EQ(queue.next(), 0u);
  queue.correct("cheap", 10, 0);
  EXPECT_EQ(queue.next(), 1u) << "the first one cost nothing";
  EXPECT_EQ(queue.next(), 10u);
  queue.correct("dear", 10, 30);
  EXPECT_EQ(drain(queue), (std::vector<Ticket>{2, 3, 4, 11, 5, 12, 13, 14, 15}));
}

TEST(FairQueue, BoundsWhatItIsTold) {
  FairQueue queue(INT64_MAX, {{"huge", INT64_MAX}, {"none", 0}, {"minus", INT64_MIN}});
  for (const char* agent : {"huge", "none", "minus", "other"}) {
    queue.enqueue(agent, 1, INT64_MAX);
    queue.enqueue(agent, 2, INT64_MIN);
    queue.correct(agent, INT64_MAX, INT64_MIN);
    queue.correct(agent, INT64_MIN, INT64_MAX);
  }
  EXPECT_EQ(drain(queue).size(), 8u);
}

// --- properties, over random work ----------------------------------------------------------------

constexpr std::uint64_t kSeeds[] = {1, 2, 3, 20261126};

std::int64_t draw(std::mt19937_64& random, std::int64_t min, std::int64_t max) {
  return std::uniform_int_distribution<std::int64_t>(min, max)(random);
}

// The paper's bound on fairness: over any time in which two flows are backlogged, what each was
// given for its weight differs by at most the quantum and twice the largest request.
TEST(FairQueueProperty, SharesFollowTheWeightsWithinAQuantumAndTwoRequests) {
  const FairQueue::Weights weights{{"one", 1}, {"two", 2}, {"three", 3}, {"seven", 7}};
  for (const std::uint64_t seed : kSeeds)
    for (const std::int64_t quantum : {1, 40, 100, 1000}) {
      SCOPED_TRACE("seed " + std::to_string(seed) + " quantum " + std::to_string(quantum));
      std::mt19937_64 random(seed);
      FairQueue queue(quantum, weights);
      std::map<Ticket, Waiting> all;
      Ticket ticket = 0;
      for (const auto& [agent, weight] : weights)
        for (int i = 0; i < 3000; ++i) {
          const Waiting one{agent, ticket++, draw(random, 1, 100)};
          queue.enqueue(one.agent, one.ticket, one.cost);
          all[one.ticket] = one;
        }
      std::map<std::string, double> given;  // for its weight
      for (int i = 0; i < 4000; ++i) {      // the heaviest is backlogged for all of this
        const Waiting& one = all.at(*queue.next());
        given[one.agent] +=
            static_cast<double>(one.cost) / static_cast<double>(weights.at(one.agent));
        const auto [least, most] =
            std::ranges::minmax_element(given, {}, [](const auto& entry) { return entry.second; });
        if (given.size() == weights.size()) {
          ASSERT_LE(most->second - least->second, static_cast<double>(quantum) + 2 * 100) << i;
        }
      }
    }
}

// The same order as the algorithm in its plain form, which goes round and round until somebody can
// pay, on random comings, leavings and corrections.
TEST(FairQueueProperty, SkippingIdleRoundsChangesNothing) {
  struct Plain {
    struct Agent {
      std::string name;
      std::int64_t deficit = 0;
      std::vector<Waiting> waiting = {};
    };
    std::int64_t quantum;
    std::vector<Agent> turns = {};
    bool visiting = false;
    auto find(const std::string& name) { return std::ranges::find(turns, name, &Agent::name); }
    std::optional<Ticket> next() {
      while (!turns.empty()) {
        Agent& front = turns.front();
        if (!visiting) front.deficit += quantum;
        visiting = true;
        if (front.deficit >= front.waiting.front().cost) {
          const Waiting one = front.waiting.front();
          front.deficit -= one.cost;
          front.waiting.erase(front.waiting.begin());
          drop_empty();
          return one.ticket;
        }
        std::ranges::rotate(turns, turns.begin() + 1);
        visiting = false;
      }
      return std::nullopt;
    }
    void drop_empty() {
      for (std::size_t i = 0; i < turns.size(); ++i)
        if (turns[i].waiting.empty()) {
          if (i == 0) visiting = false;
          turns.erase(turns.begin() + static_cast<std::ptrdiff_t>(i--));
        }
    }
  };
  for (const std::uint64_t seed : kSeeds) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    FairQueue queue(3);
    Plain plain{.quantum = 3};
    std::vector<Waiting> all;
    for (Ticket step = 0; step < 20'000; ++step) {
      const std::string agent(1, static_cast<char>('a' + draw(random, 0, 5)));
      switch (draw(random, 0, 9)) {
        case 0: {
          const Waiting gone = all.empty() ? Waiting{} : all[random() % all.size()];
          const auto found = plain.find(gone.agent);
          const bool waits =
              found != plain.turns.end() &&
              std::erase_if(found->waiting, [&](auto& w) { return w.ticket == gone.ticket; }) > 0;
          plain.drop_empty();
          ASSERT_EQ(queue.remove(gone.agent, gone.ticket), waits);
          break;
        }
        case 1: {
          const std::int64_t expected = draw(random, 0, 50), actual = draw(random, 0, 50);
          queue.correct(agent, expected, actual);
          if (auto found = plain.find(agent); found != plain.turns.end())
            found->deficit += expected - actual;
          break;
        }
        case 2:
        case 3:
        case 4:
        case 5:
          ASSERT_EQ(queue.next(), plain.next()) << step;
          break;
        default: {
          all.push_back({agent, step, draw(random, 1, 200)});
          queue.enqueue(agent, step, all.back().cost);
          if (plain.find(agent) == plain.turns.end()) plain.turns.push_back({agent});
          plain.find(agent)->waiting.push_back(all.back());
        }
      }
    }
    std::vector<Ticket> rest;
    while (const auto ticket = plain.next()) rest.push_back(*ticket);
    EXPECT_EQ(drain(queue), rest);
  }
}

// --- a greedy agent beside five modest ones, on a virtual clock ----------------------------------

struct Served {
  double longest_wait_s = 0;  // of the modest agents
  std::int64_t idle_while_waiting = 0;
  std::int64_t served = 0;
};

// Two places; a request holds one for 5 to 15 s. The greedy agent has 200 waiting all the time, the
// modest ones ask once a minute each. `flow` is what the queue is told about who asks.
Served simulate(std::uint64_t seed, const std::function<std::string(const std::string&)>& flow) {
  std::mt19937_64 random(seed);
  FairQueue queue(1, {});
  struct Asked {
    std::string agent;
    std::int64_t at_s;
  };
  std::map<Ticket, Asked> asked;
  std::vector<std::int64_t> free_at_s{0, 0};
  Served out;
  Ticket ticket = 0;
  const auto ask = [&](const std::string& agent, std::int64_t now_s) {
    asked[++ticket] = {agent, now_s};
    queue.enqueue(flow(agent), ticket, 1);
  };
  for (std::int64_t now_s = 0; now_s < 4 * 3600; ++now_s) {
    while (std::ranges::count(asked, "greedy", [](const auto& e) { return e.second.agent; }) < 200)
      ask("greedy", now_s);
    for (int i = 0; i < 5; ++i)
      if (now_s % 60 == 7 * i) ask("modest" + std::to_string(i), now_s);
    for (std::int64_t& free_s : free_at_s) {
      if (free_s > now_s) continue;
      const auto taken = queue.next();
      if (!taken) {
        ++out.idle_while_waiting;
        continue;
      }
      const Asked one = asked.at(*taken);
      asked.erase(*taken);
      ++out.served;
      free_s = now_s + draw(random, 5, 15);
      if (one.agent != "greedy")
        out.longest_wait_s = std::max(out.longest_wait_s, static_cast<double>(now_s - one.at_s));
    }
  }
  // Those that still wait have waited at least so long.
  for (const auto& [id, one] : asked)
    if (one.agent != "greedy")
      out.longest_wait_s = std::max(out.longest_wait_s, static_cast<double>(4 * 3600 - one.at_s));
  return out;
}

TEST(FairQueueProperty, AGreedyAgentDoesNotStarveModestOnes) {
  for (const std::uint64_t seed : kSeeds) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Served fair = simulate(seed, [](const std::string& agent) { return agent; });
    // A round is six requests of at most 15 s, two at a time.
    EXPECT_LE(fair.longest_wait_s, 60);
    EXPECT_EQ(fair.idle_while_waiting, 0) << "a place was free while somebody waited";
    // The control: in the order of coming, the modest ones wait for the greedy one's 200.
    const Served in_order = simulate(seed, [](const std::string&) { return "all"; });
    EXPECT_GT(in_order.longest_wait_s, 600);
    EXPECT_NEAR(static_cast<double>(fair.served), static_cast<double>(in_order.served),
                static_cast<double>(in_order.served) / 10);
  }
}

}  // namespace
}  // namespace tophand::policy
