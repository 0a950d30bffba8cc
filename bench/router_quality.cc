// How many calls of a strong model the product's routing would have spared on published tables of
// per-prompt outcomes, and at what quality. The learned success rates are the product's own
// (policy::Learner), learned on one half of a table and judged on the other, both ways round.
//
// usage: router_quality TABLE.csv WEAK_COLUMN STRONG_COLUMN [CLASS_COLUMN]
//   a header line; outcomes between 0 and 1. Without a class column every row is of one class.
// Columns: saved@95 is the largest share of strong calls left out with 95 % of the strong model's
// quality; APGR is the mean gain over the weak model, as a share of the strong one's, over all
// shares of strong calls (Ong et al. 2024, section 3).
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "policy/classes.h"
#include "policy/learned.h"
#include "policy/learning.h"

namespace {

using namespace tophand;

struct Outcome {
  std::string task_class;
  double weak = 0, strong = 0;
};

// RFC 4180, quoted line ends included.
std::vector<std::vector<std::string>> read_csv(const char* path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  std::vector<std::vector<std::string>> rows(1, {""});
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '"' && i + 1 < text.size() && text[i + 1] == '"')
      rows.back().back() += text[i++];
    else if (c == '"') quoted = !quoted;
    else if (!quoted && c == ',') rows.back().emplace_back();
    else if (!quoted && c == '\n') rows.push_back({""});
    else if (c != '\r' || quoted) rows.back().back() += c;
  }
  return rows;
}

std::vector<Outcome> read_outcomes(int argc, char** argv) {
  const auto rows = read_csv(argv[1]);
  const auto column = [&](const char* name) {
    return static_cast<std::size_t>(std::ranges::find(rows[0], name) - rows[0].begin());
  };
  const std::size_t weak = column(argv[2]), strong = column(argv[3]);
  const std::size_t kind = argc > 4 ? column(argv[4]) : rows[0].size();
  std::vector<Outcome> out;
  const auto number = [](const std::string& text, double& value) {
    return std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc();
  };
  for (std::size_t i = 1; i < rows.size(); ++i) {
    Outcome one;
    if (std::max(weak, strong) >= rows[i].size() || !number(rows[i][weak], one.weak) ||
        !number(rows[i][strong], one.strong))
      continue;
    one.task_class = kind < rows[i].size() ? rows[i][kind] : "all";
    out.push_back(std::move(one));
  }
  return out;
}

// `share`: of the rows whose outcomes are known, as audits are drawn.
policy::Learner learned(const std::vector<Outcome>& half, double share = 1) {
  policy::Learner learner;
  SplitMix64 random(1);
  std::int64_t row = 0;
  const auto label = [&](const Outcome& one, const char* model, double score) {
    learner.observe({.route = {one.task_class, model},
                     .version = "1",
                     .row_id = ++row,
                     .source = policy::LabelSource::kHuman,
                     .good = score >= 0.5});
  };
  for (const Outcome& one : half) {
    if (random.uniform() >= share) continue;
    label(one, "weak", one.weak);
    label(one, "strong", one.strong);
  }
  return learner;
}

double p_of(const policy::Learner& learner, const std::string& task_class, const char* model) {
  return learner.find({task_class, model}).value_or(policy::RouteState{}).p_mean;
}

// What the program takes it to be worth to ask the strong model (policy/learned.h).
double uplift(const policy::Learner& learner, const std::string& task_class) {
  const auto rate = [&](const char* model, double guess) {
    const auto state = learner.find({task_class, model});
    return policy::blended(state ? &*state : nullptr, guess);
  };
  return rate("strong", policy::kOtherClass.p_hard) - rate("weak", policy::kOtherClass.p_local);
}

struct Figures {
  double saved = 0, apgr = 0;
};

// The rows in the order in which they would be kept local.
Figures measure(const std::vector<const Outcome*>& order) {
  double weak = 0, strong = 0;
  for (const Outcome* one : order) {
    weak += one->weak;
    strong += one->strong;
  }
  Figures out;
  double quality = strong, area = 0;
  const double n = static_cast<double>(order.size());
  for (std::size_t kept = 1; kept <= order.size(); ++kept) {
    quality += order[kept - 1]->weak - order[kept - 1]->strong;
    if (quality >= 0.95 * strong) out.saved = std::max(out.saved, static_cast<double>(kept) / n);
    area += (quality - weak) / (strong - weak) / n;
  }
  out.apgr = area;
  return out;
}

// Rows with the same score come in any order: the mean over that many.
template <class Score>
Figures route(const std::vector<Outcome>& half, std::uint64_t seed, Score score) {
  constexpr int kOrders = 40;
  SplitMix64 random(seed);
  Figures mean;
  for (int i = 0; i < kOrders; ++i) {
    std::vector<std::pair<std::pair<double, double>, const Outcome*>> order;
    for (const Outcome& one : half) order.push_back({{score(one), random.uniform()}, &one});
    std::ranges::sort(order, [](const auto& a, const auto& b) { return a.first > b.first; });
    std::vector<const Outcome*> rows;
    for (const auto& [key, one] : order) rows.push_back(one);
    const Figures figures = measure(rows);
    mean.saved += figures.saved / kOrders;
    mean.apgr += figures.apgr / kOrders;
  }
  return mean;
}

// Every call is tried locally; a verifier accepts good answers at `tpr`, bad ones at `fpr`; what it
// does not accept is asked of the strong model. Exact expectations.
void print_cascade(const std::vector<Outcome>& all, double tpr, double fpr) {
  double accepted = 0, quality = 0, strong = 0;
  for (const Outcome& one : all) {
    const double good = one.weak * tpr, bad = (1 - one.weak) * fpr;
    accepted += good + bad;
    quality += good + (1 - good - bad) * one.strong;
    strong += one.strong;
  }
  std::printf("  local first, verifier %.2f/%.2f    saved %.3f at %.3f of the strong quality\n",
              tpr, fpr, accepted / static_cast<double>(all.size()), quality / strong);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: router_quality TABLE.csv WEAK STRONG [CLASS]\n");
    return 2;
  }
  std::vector<Outcome> all = read_outcomes(argc, argv);
  if (all.size() < 20) {
    std::fprintf(stderr, "router_quality: no such columns in %s, or under 20 rows\n", argv[1]);
    return 1;
  }
  constexpr std::uint64_t kSeed = 6;
  SplitMix64 random(kSeed);
  for (std::size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[random.next() % i]);
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
  const std::vector<Outcome> halves[] = {{all.begin(), middle}, {middle, all.end()}};

  Figures by_chance, by_local, by_gap, by_few, by_some, best;
  const auto add = [](Figures& to, const Figures& one) {
    to.saved += one.saved / 2;
    to.apgr += one.apgr / 2;
  };
  for (int half = 0; half < 2; ++half) {
    const policy::Learner learner = learned(halves[half]);
    const std::vector<Outcome>& rest = halves[1 - half];
    add(by_chance, route(rest, kSeed + 1, [](const Outcome&) { return 0.0; }));
    add(by_local, route(rest, kSeed + 2,
                        [&](const Outcome& one) { return p_of(learner, one.task_class, "weak"); }));
    add(by_gap, route(rest, kSeed + 3, [&](const Outcome& one) {
          return p_of(learner, one.task_class, "weak") - p_of(learner, one.task_class, "strong");
        }));
    for (const auto& [share, figures] : {std::pair{.02, &by_few}, std::pair{.1, &by_some}}) {
      const policy::Learner audited = learned(halves[half], share);
      add(*figures, route(rest, kSeed + 5,
                          [&](const Outcome& one) { return -uplift(audited, one.task_class); }));
    }
    add(best, route(rest, kSeed + 4, [](const Outcome& one) { return one.weak - one.strong; }));
  }
  std::printf("%s > %s, %zu rows, seed %llu\n", argv[2], argv[3], all.size(),
              static_cast<unsigned long long>(kSeed));
  const auto print = [](const char* name, const Figures& one) {
    std::printf("  %-34s saved@95 %.3f  APGR %.3f\n", name, one.saved, one.apgr);
  };
  print("chance", by_chance);
  print("learned rate of the class", by_local);
  print("learned gap of the class", by_gap);
  print("uplift, 2 % of the rows labelled", by_few);
  print("uplift, 10 % of the rows labelled", by_some);
  print("hindsight", best);
  print_cascade(all, .95, .10);
  print_cascade(all, .90, .20);
  print_cascade(all, .90, .40);
}
