// What one core does with each encoding, and what the machine itself does: read bandwidth and the
// int8 multiply-add rate. Figures and how to read them: docs/performance-kernels.md.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "kernels/cpu.h"
#include "kernels/encoding.h"
#include "kernels/matmul.h"
#include "kernels/ops.h"

namespace tophand::kernels {
namespace {

using Buffer = std::unique_ptr<std::byte, decltype(&std::free)>;

Buffer buffer(std::size_t bytes) {
  const std::size_t size = (bytes + 4095) / 4096 * 4096;
  Buffer b(static_cast<std::byte*>(std::aligned_alloc(4096, size)), &std::free);
  std::memset(b.get(), 1, size);
  return b;
}

struct Problem {
  Problem(Isa isa, Encoding encoding, std::uint64_t rows, std::uint64_t cols, std::uint64_t tokens)
      : packed(buffer(packed_bytes(encoding, rows, cols))),
        activations(buffer(activation_bytes(activation_form(isa, encoding, tokens), tokens, cols))),
        out(tokens * rows) {
    // Any bytes are weights; 0x01 everywhere gives small, finite scales.
    w = {encoding, rows, cols, packed.get(), 1.0f};
    std::mt19937 rng(1);
    if (encoding == Encoding::kI2_S) fill_ternary(rng);
    std::normal_distribution<float> normal;
    std::vector<float> x(tokens * cols);
    for (float& v : x) v = normal(rng);
    quantize_activations(isa, activation_form(isa, encoding, tokens), x.data(), cols, 0, tokens,
                         activations.get());
  }
  // Table lookup is faster where all weights are alike.
  void fill_ternary(std::mt19937& rng) {
    const std::size_t size = packed_bytes(Encoding::kI2_S, w.rows, w.cols);
    for (std::size_t i = 0; i < size; ++i) {
      const unsigned v = static_cast<unsigned>(rng());
      packed.get()[i] =
          static_cast<std::byte>(v % 3 | v / 3 % 3 << 2 | v / 9 % 3 << 4 | v / 27 % 3 << 6);
    }
  }

  Buffer packed, activations;
  PackedMatrix w;
  std::vector<float> out;
};

void run(benchmark::State& state, Isa isa, Problem& p, std::uint64_t tokens) {
  for (auto _ : state) {
    matmul(isa, p.w, p.activations.get(), tokens, 0, group_count(p.w.rows), p.out.data(), p.w.rows);
    benchmark::DoNotOptimize(p.out.data());
    benchmark::ClobberMemory();
  }
  const auto count = static_cast<double>(state.iterations());
  const double macs = count * static_cast<double>(p.w.rows * p.w.cols * tokens);
  const double bytes = count * static_cast<double>(packed_bytes(p.w.source, p.w.rows, p.w.cols));
  state.counters["GMAC/s"] = benchmark::Counter(macs / 1e9, benchmark::Counter::kIsRate);
  state.counters["GB/s"] = benchmark::Counter(bytes / 1e9, benchmark::Counter::kIsRate);
}

// A matrix larger than any cache of a desk's machine: what decoding does.
void gemv(benchmark::State& state, Isa isa, Encoding encoding) {
  const std::uint64_t cols = 1536;
  const std::uint64_t row_bytes = packed_bytes(encoding, 16, cols) / 16;
  const std::uint64_t rows = (std::uint64_t{400} << 20) / row_bytes / 64 * 64;
  Problem p(isa, encoding, rows, cols, 1);
  run(state, isa, p, 1);
}

// Many tokens against a part of a matrix: what prefill does.
void gemm(benchmark::State& state, Isa isa, Encoding encoding) {
  const auto tokens = static_cast<std::uint64_t>(state.range(0));
  Problem p(isa, encoding, 1024, 2560, tokens);
  run(state, isa, p, tokens);
}

// A few tokens against a matrix larger than any cache: what decoding several sequences does.
void batch(benchmark::State& state, Isa isa, Encoding encoding) {
  const auto tokens = static_cast<std::uint64_t>(state.range(0));
  const std::uint64_t cols = 2560;
  const std::uint64_t row_bytes = packed_bytes(encoding, 16, cols) / 16;
  const std::uint64_t rows = (std::uint64_t{200} << 20) / row_bytes / 64 * 64;
  Problem p(isa, encoding, rows, cols, tokens);
  run(state, isa, p, tokens);
}

void attention(benchmark::State& state, Isa isa) {
  const std::uint64_t n_q = 6, hd = 128, n_kv = 512;
  std::vector<float> q(n_q * hd, 0.5f), scores(n_q * n_kv), out(n_q * hd);
  const std::vector<std::uint16_t> k(n_kv * 2 * hd, 0x3000), v(n_kv * 2 * hd, 0x3000);
  for (auto _ : state) {
    attention_group(isa, q.data(), n_q, k.data(), v.data(), n_kv, 2 * hd, hd, 0.1f, scores.data(),
                    out.data());
    benchmark::DoNotOptimize(out.data());
  }
  const double macs = static_cast<double>(state.iterations()) * 2.0 * n_q * hd * n_kv;
  state.counters["GMAC/s"] = benchmark::Counter(macs / 1e9, benchmark::Counter::kIsRate);
}

void quantise(benchmark::State& state, Isa isa) {
  const std::uint64_t cols = 8960;
  const std::vector<float> x(cols, 0.3f);
  const Buffer out = buffer(activation_bytes(ActivationForm::kInt8Block32, 1, cols));
  for (auto _ : state) {
    quantize_activations(isa, ActivationForm::kInt8Block32, x.data(), cols, 0, 1, out.get());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(cols));
}

#if defined(__x86_64__)
// Sums 400 MiB through four streams far apart.
__attribute__((target("avx2"))) void read_bandwidth(benchmark::State& state) {
  constexpr std::size_t kBytes = std::size_t{400} << 20, kStream = kBytes / 4;
  const Buffer data = buffer(kBytes);
  for (auto _ : state) {
    __m256i sum[4] = {};
    for (std::size_t i = 0; i < kStream; i += 64) {
      for (std::size_t s = 0; s < 4; ++s) {
        const auto* p = reinterpret_cast<const __m256i*>(data.get() + s * kStream + i);
        sum[s] = _mm256_xor_si256(sum[s],
                                  _mm256_xor_si256(_mm256_load_si256(p), _mm256_load_si256(p + 1)));
      }
    }
    for (__m256i& s : sum) benchmark::DoNotOptimize(s);
  }
  state.counters["GB/s"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * static_cast<double>(kBytes) / 1e9,
      benchmark::Counter::kIsRate);
}

__attribute__((target("avx512f,avx512vnni"))) void peak_vnni(benchmark::State& state) {
  __m512i sum[12] = {};
  __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(5);
  benchmark::DoNotOptimize(a);
  benchmark::DoNotOptimize(b);
  for (auto _ : state) {
    for (int i = 0; i < 1000; ++i) {
#pragma GCC unroll 12
      for (int k = 0; k < 12; ++k) {
        sum[k] = _mm512_dpbusd_epi32(sum[k], a, b);
        asm("" : "+v"(sum[k]));  // twelve chains, not one
      }
    }
  }
  __m512i all = _mm512_setzero_si512();
#pragma GCC unroll 12
  for (int k = 0; k < 12; ++k) all = _mm512_xor_si512(all, sum[k]);
  benchmark::DoNotOptimize(all);
  state.counters["GMAC/s"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * 12000.0 * 64 / 1e9, benchmark::Counter::kIsRate);
}

// The AVX2 multiply-add: vpmaddubsw and one int16 addition.
__attribute__((target("avx2"))) void peak_avx2(benchmark::State& state) {
  __m256i sum[8] = {};
  __m256i a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(5);
  for (auto _ : state) {
    for (int i = 0; i < 1000; ++i) {
#pragma GCC unroll 8
      for (int k = 0; k < 8; ++k) {
        asm("" : "+x"(a));  // a new product each time
        sum[k] = _mm256_add_epi16(sum[k], _mm256_maddubs_epi16(a, b));
        asm("" : "+x"(sum[k]));
      }
    }
  }
  __m256i all = _mm256_setzero_si256();
#pragma GCC unroll 8
  for (int k = 0; k < 8; ++k) all = _mm256_xor_si256(all, sum[k]);
  benchmark::DoNotOptimize(all);
  state.counters["GMAC/s"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * 8000.0 * 32 / 1e9, benchmark::Counter::kIsRate);
}
#endif

void register_for(const IsaInfo& set) {
  const std::string name(set.name);
  const Isa isa = set.isa;
  for (std::size_t e = 0; e < kEncodingCount; ++e) {
    const auto encoding = static_cast<Encoding>(e);
    const std::string suffix = "/" + name + "/" + std::string(encoding_info(encoding).name);
    benchmark::RegisterBenchmark(("gemv" + suffix).c_str(), gemv, isa, encoding);
    benchmark::RegisterBenchmark(("batch" + suffix).c_str(), batch, isa, encoding)
        ->Arg(2)
        ->Arg(4)
        ->Arg(8);
    benchmark::RegisterBenchmark(("gemm" + suffix).c_str(), gemm, isa, encoding)
        ->Arg(1)
        ->Arg(2)
        ->Arg(4)
        ->Arg(8)
        ->Arg(128)
        ->Arg(512);
  }
  benchmark::RegisterBenchmark(("attention/" + name).c_str(), attention, isa);
  benchmark::RegisterBenchmark(("quantise/" + name).c_str(), quantise, isa);
}

const bool kRegistered = [] {
  benchmark::AddCustomContext("cpu", cpu_model_name());
#if defined(__x86_64__)
  benchmark::RegisterBenchmark("machine/read", read_bandwidth);
#endif
  for (const IsaInfo& set : instruction_sets()) {
    if (!set.compiled || !set.runs_here) continue;
#if defined(__x86_64__)
    if (set.isa == Isa::kAvx2) benchmark::RegisterBenchmark("machine/avx2", peak_avx2);
    if (set.isa == Isa::kAvx512Vnni) benchmark::RegisterBenchmark("machine/vnni", peak_vnni);
#endif
    register_for(set);
  }
  return true;
}();

}  // namespace
}  // namespace tophand::kernels
