#include "kernels/delta_net.h"

#include "kernels/delta_net_impl.h"

namespace tophand::kernels {
namespace {

const detail::DeltaNetTable& table(Isa isa) {
#if defined(__x86_64__)
  if (has_avx512(isa)) return detail::delta_net_avx512();
  if (isa == Isa::kAvx2 || isa == Isa::kAvxVnni) return detail::delta_net_avx2();
#endif
  (void)isa;
  return detail::delta_net_scalar();
}

}  // namespace

void causal_conv_silu(Isa isa, const CausalConv& conv, const float* x, std::uint64_t tokens,
                      float* history, float* out) {
  table(isa).causal_conv_silu(conv, x, tokens, history, out);
}

void delta_rule(Isa isa, const DeltaRule& head, float* state, float* dots, float* out) {
  table(isa).delta_rule(head, state, dots, out);
}

void hadamard(Isa isa, float* x, std::uint64_t n, std::uint64_t block) {
  table(isa).hadamard(x, n, block);
}

}  // namespace tophand::kernels
