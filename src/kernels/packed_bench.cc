// Packing, one thread, from and to memory that the second-level cache holds: what the instructions
// cost. While a model loads, memory and page faults come on top.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "kernels/matmul.h"

namespace tophand::kernels {
namespace {

void pack(benchmark::State& state, Isa isa, Encoding encoding) {
  const std::uint64_t rows = 64, cols = 2560;
  const std::vector<std::byte> tensor(tensor_bytes(encoding, rows, cols), std::byte{0x55});
  std::vector<std::byte> packed(packed_bytes(encoding, rows, cols));
  for (auto _ : state) {
    pack_groups(isa, encoding, tensor.data(), rows, cols, 0, group_count(rows), packed.data());
    benchmark::DoNotOptimize(packed.data());
    benchmark::ClobberMemory();
  }
  const auto count = static_cast<double>(state.iterations());
  state.counters["GB/s"] = benchmark::Counter(count * static_cast<double>(packed.size()) / 1e9,
                                              benchmark::Counter::kIsRate);
  state.counters["Gweights/s"] = benchmark::Counter(count * static_cast<double>(rows * cols) / 1e9,
                                                    benchmark::Counter::kIsRate);
}

const bool kRegistered = [] {
  for (const IsaInfo& set : instruction_sets()) {
    if (!set.compiled || !set.runs_here) continue;
    for (std::size_t e = 0; e < kEncodingCount; ++e) {
      const auto encoding = static_cast<Encoding>(e);
      const std::string name =
          "pack/" + std::string(set.name) + "/" + std::string(encoding_info(encoding).name);
      benchmark::RegisterBenchmark(name.c_str(), pack, set.isa, encoding);
    }
  }
  return true;
}();

}  // namespace
}  // namespace tophand::kernels
