#include "kernels/ops.h"

#include "kernels/ops_impl.h"

namespace tophand::kernels {
namespace {

const detail::OpsTable& table(Isa isa) {
#if defined(__x86_64__)
  if (has_avx512(isa)) return detail::ops_avx512();
  if (isa == Isa::kAvx2 || isa == Isa::kAvxVnni) return detail::ops_avx2();
#endif
  (void)isa;
  return detail::ops_scalar();
}

}  // namespace

void rms_norm(Isa isa, const float* x, const float* weight, float eps, std::uint64_t d,
              float* out) {
  table(isa).rms_norm(x, weight, eps, d, out);
}

void add(Isa isa, const float* x, std::uint64_t n, float* out) {
  table(isa).add(x, n, out);
}

void silu_mul(Isa isa, const float* gate, const float* up, std::uint64_t n, float* out) {
  table(isa).silu_mul(gate, up, n, out);
}

void relu2_mul(Isa isa, const float* gate, const float* up, std::uint64_t n, float* out) {
  table(isa).relu2_mul(gate, up, n, out);
}

void sigmoid_mul(Isa isa, const float* gate, const float* x, std::uint64_t n, float* out) {
  table(isa).sigmoid_mul(gate, x, n, out);
}

void rope(Isa isa, RopePairing pairing, const float* cos, const float* sin, std::uint64_t n_rot,
          float* head) {
  table(isa).rope(pairing, cos, sin, n_rot, head);
}

void float_to_half_row(Isa isa, const float* x, std::uint64_t n, std::uint16_t* out) {
  table(isa).float_to_half_row(x, n, out);
}

void attention_group(Isa isa, const float* q, std::uint64_t n_q, const std::uint16_t* k,
                     const std::uint16_t* v, std::uint64_t n_kv, std::uint64_t kv_stride,
                     std::uint64_t hd, float scale, float* scores, float* out) {
  table(isa).attention_group(q, n_q, k, v, n_kv, kv_stride, hd, scale, scores, out);
}

std::uint64_t argmax(Isa isa, const float* x, std::uint64_t n) {
  return table(isa).argmax(x, n);
}

}  // namespace tophand::kernels
