/* AArch64, whose every processor has NEON: 16-byte vectors, 32 registers. Floor 0. */
#if defined(__aarch64__)
#include <arm_neon.h>

#define VECTOR_BYTES 16
#define NO_MASKED_ACCESS
#include "vectors.h"

INLINE vector_f32 multiply_add_f32(vector_f32 a, vector_f32 b, vector_f32 c) { return vfmaq_f32(c, a, b); }
INLINE vector_f64 multiply_add_f64(vector_f64 a, vector_f64 b, vector_f64 c) { return vfmaq_f64(c, a, b); }
INLINE vector_f32 square_root_f32(vector_f32 v) { return vsqrtq_f32(v); }
INLINE vector_f64 square_root_f64(vector_f64 v) { return vsqrtq_f64(v); }

/* Unlike those of x86, these max and min return NaN when either operand is NaN. */
INLINE vector_f32 at_least_f32(vector_f32 v, vector_f32 bound) { return vmaxq_f32(v, bound); }
INLINE vector_f64 at_least_f64(vector_f64 v, vector_f64 bound) { return vmaxq_f64(v, bound); }
INLINE vector_f32 at_most_f32(vector_f32 v, vector_f32 bound) { return vminq_f32(v, bound); }
INLINE vector_f64 at_most_f64(vector_f64 v, vector_f64 bound) { return vminq_f64(v, bound); }

INLINE vector_f32 select_f32(mask_f32 m, vector_f32 yes, vector_f32 no) { return vbslq_f32((uint32x4_t)m, yes, no); }
INLINE vector_f64 select_f64(mask_f64 m, vector_f64 yes, vector_f64 no) { return vbslq_f64((uint64x2_t)m, yes, no); }

enum { TRANSPOSE_WIDTH_f32 = 4, TRANSPOSE_WIDTH_f64 = 2 };

INLINE void transpose_block_f32(float *out, ptrdiff_t out_row, const float *in, ptrdiff_t in_row) {
    float32x4_t a = vld1q_f32(in), b = vld1q_f32(in + in_row);
    float32x4_t c = vld1q_f32(in + 2 * in_row), d = vld1q_f32(in + 3 * in_row);
    float32x4_t ac_low = vzip1q_f32(a, c), ac_high = vzip2q_f32(a, c);
    float32x4_t bd_low = vzip1q_f32(b, d), bd_high = vzip2q_f32(b, d);
    vst1q_f32(out, vzip1q_f32(ac_low, bd_low));
    vst1q_f32(out + out_row, vzip2q_f32(ac_low, bd_low));
    vst1q_f32(out + 2 * out_row, vzip1q_f32(ac_high, bd_high));
    vst1q_f32(out + 3 * out_row, vzip2q_f32(ac_high, bd_high));
}

INLINE void transpose_block_f64(double *out, ptrdiff_t out_row, const double *in, ptrdiff_t in_row) {
    float64x2_t a = vld1q_f64(in), b = vld1q_f64(in + in_row);
    vst1q_f64(out, vzip1q_f64(a, b));
    vst1q_f64(out + out_row, vzip2q_f64(a, b));
}

#define INSTRUCTION_SET neon
#define TILE_ROWS 8
#define NARROW_TILE_ROWS 12
#define PAIR_TILE_ROWS 8
#define NARROW_PAIR_TILE_ROWS 12
#include "kernels.template.c"
#else
typedef int nothing_to_compile;
#endif
