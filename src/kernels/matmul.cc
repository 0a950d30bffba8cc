#include "kernels/matmul.h"

#include "kernels/packed.h"

namespace tophand::kernels {

void matmul(Isa isa, const PackedMatrix& w, const std::byte* activations, std::uint64_t tokens,
            std::uint64_t group_begin, std::uint64_t group_end, float* out,
            std::uint64_t out_stride) {
  if (tokens == 0 || group_begin >= group_end) return;
  const detail::MatmulTask task{w, activations, tokens, group_begin, group_end, out, out_stride};
  switch (isa) {
#if defined(__x86_64__)
    case Isa::kAmxInt8:
      return detail::matmul_amx(task);
    case Isa::kAvx512Vnni:
      return detail::matmul_avx512(task);
    case Isa::kAvxVnni:
      return detail::matmul_avxvnni(task);
    case Isa::kAvx2:
      return detail::matmul_avx2(task);
#endif
#if defined(__aarch64__)
    case Isa::kNeonDot:
      return detail::matmul_neon(task);
#endif
    default:
      return detail::matmul_scalar(task);
  }
}

}  // namespace tophand::kernels
