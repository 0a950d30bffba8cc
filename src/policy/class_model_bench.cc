#include <benchmark/benchmark.h>

#include "policy/class_model.h"

namespace {

using namespace tophand::policy;

// A prompt of 20 kB: what an agent sends.
void BM_infer_class(benchmark::State& state) {
  std::string system, user;
  for (int i = 0; system.size() < 8'000; ++i)
    system += "Rule " + std::to_string(i) + ": read the file before you change anything in it.\n";
  for (int i = 0; user.size() < 12'000; ++i)
    user += "int value_" + std::to_string(i * 7919) + " = compute(" + std::to_string(i) + ");\n";
  const ClassFacts facts{.system = system,
                         .user = {user, "rename value_0 to first everywhere"},
                         .tools = {"Bash", "Read", "Edit", "Write", "Grep", "Glob"}};
  for (auto _ : state) benchmark::DoNotOptimize(infer_class(facts, ClassModel::built_in()));
}
BENCHMARK(BM_infer_class);

}  // namespace
