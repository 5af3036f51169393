/* Vectors of AVX-512 (F, DQ, BW, VL): 64 bytes, 32 registers, mask registers. Floor 0.
   The including file has set the target and included immintrin.h. */
#ifndef CNN_CORE_AVX512_H
#define CNN_CORE_AVX512_H

#define VECTOR_BYTES 64
#define MASK_REGISTERS
#include "vectors.h"
#include "transpose_x86.h"

INLINE vector_f32 multiply_add_f32(vector_f32 a, vector_f32 b, vector_f32 c) { return _mm512_fmadd_ps(a, b, c); }
INLINE vector_f64 multiply_add_f64(vector_f64 a, vector_f64 b, vector_f64 c) { return _mm512_fmadd_pd(a, b, c); }
INLINE vector_f32 square_root_f32(vector_f32 v) { return _mm512_sqrt_ps(v); }
INLINE vector_f64 square_root_f64(vector_f64 v) { return _mm512_sqrt_pd(v); }

/* The second operand is what max and min return when either is NaN. */
INLINE vector_f32 at_least_f32(vector_f32 v, vector_f32 bound) { return _mm512_max_ps(bound, v); }
INLINE vector_f64 at_least_f64(vector_f64 v, vector_f64 bound) { return _mm512_max_pd(bound, v); }
INLINE vector_f32 at_most_f32(vector_f32 v, vector_f32 bound) { return _mm512_min_ps(bound, v); }
INLINE vector_f64 at_most_f64(vector_f64 v, vector_f64 bound) { return _mm512_min_pd(bound, v); }

/* Lane i of lane_sums is the sum of the lanes of s[i]: of two vectors becomes one, by lanes, by pairs of them and so
   on. shuffle_f32x4 takes the even fours of a, then of b, or the odd ones. */
INLINE vector_f32 add_lanes(vector_f32 a, vector_f32 b) { return _mm512_unpacklo_ps(a, b) + _mm512_unpackhi_ps(a, b); }
INLINE vector_f32 add_fours(vector_f32 a, vector_f32 b) {
    return _mm512_shuffle_f32x4(a, b, 0x88) + _mm512_shuffle_f32x4(a, b, 0xdd);
}
INLINE vector_f32 sums_of_four(const vector_f32 *s) {
    const vector_f64 a = (vector_f64)add_lanes(s[0], s[1]), b = (vector_f64)add_lanes(s[2], s[3]);
    return (vector_f32)_mm512_unpacklo_pd(a, b) + (vector_f32)_mm512_unpackhi_pd(a, b);
}
INLINE vector_f32 lane_sums_f32(const vector_f32 *s) {
    return add_fours(add_fours(sums_of_four(s), sums_of_four(s + 4)),
                     add_fours(sums_of_four(s + 8), sums_of_four(s + 12)));
}

INLINE vector_f64 sums_of_two(const vector_f64 *s) {
    return _mm512_unpacklo_pd(s[0], s[1]) + _mm512_unpackhi_pd(s[0], s[1]);
}
INLINE vector_f64 add_twos(vector_f64 a, vector_f64 b) {
    return _mm512_shuffle_f64x2(a, b, 0x88) + _mm512_shuffle_f64x2(a, b, 0xdd);
}
INLINE vector_f64 lane_sums_f64(const vector_f64 *s) {
    return add_twos(add_twos(sums_of_two(s), sums_of_two(s + 2)), add_twos(sums_of_two(s + 4), sums_of_two(s + 6)));
}

typedef __mmask16 mask_f32, lanes_f32;
typedef __mmask8 mask_f64, lanes_f64;
INLINE mask_f32 greater_f32(vector_f32 a, vector_f32 b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
INLINE mask_f64 greater_f64(vector_f64 a, vector_f64 b) { return _mm512_cmp_pd_mask(a, b, _CMP_GT_OQ); }
INLINE mask_f32 not_less_f32(vector_f32 a, vector_f32 b) { return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ); }
INLINE mask_f64 not_less_f64(vector_f64 a, vector_f64 b) { return _mm512_cmp_pd_mask(a, b, _CMP_GE_OQ); }
INLINE vector_f32 select_f32(mask_f32 m, vector_f32 yes, vector_f32 no) { return _mm512_mask_blend_ps(m, no, yes); }
INLINE vector_f64 select_f64(mask_f64 m, vector_f64 yes, vector_f64 no) { return _mm512_mask_blend_pd(m, no, yes); }

INLINE lanes_f32 first_lanes_f32(ptrdiff_t n) { return (lanes_f32)((1u << n) - 1); }
INLINE lanes_f64 first_lanes_f64(ptrdiff_t n) { return (lanes_f64)((1u << n) - 1); }
INLINE vector_f32 load_lanes_f32(const float *p, lanes_f32 live) { return _mm512_maskz_loadu_ps(live, p); }
INLINE vector_f64 load_lanes_f64(const double *p, lanes_f64 live) { return _mm512_maskz_loadu_pd(live, p); }
INLINE void store_lanes_f32(float *p, vector_f32 v, lanes_f32 live) { _mm512_mask_storeu_ps(p, live, v); }
INLINE void store_lanes_f64(double *p, vector_f64 v, lanes_f64 live) { _mm512_mask_storeu_pd(p, live, v); }

#include "columns_x86.h"

#endif
