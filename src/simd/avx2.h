/* Vectors of AVX2 with FMA: 32 bytes, 16 registers. Floor 0.
   The including file has set the target and included immintrin.h. */
#ifndef CNN_CORE_AVX2_H
#define CNN_CORE_AVX2_H

#define VECTOR_BYTES 32
#include "vectors.h"
#include "transpose_x86.h"

INLINE vector_f32 multiply_add_f32(vector_f32 a, vector_f32 b, vector_f32 c) { return _mm256_fmadd_ps(a, b, c); }
INLINE vector_f64 multiply_add_f64(vector_f64 a, vector_f64 b, vector_f64 c) { return _mm256_fmadd_pd(a, b, c); }
INLINE vector_f32 square_root_f32(vector_f32 v) { return _mm256_sqrt_ps(v); }
INLINE vector_f64 square_root_f64(vector_f64 v) { return _mm256_sqrt_pd(v); }

/* The second operand is what max and min return when either is NaN. */
INLINE vector_f32 at_least_f32(vector_f32 v, vector_f32 bound) { return _mm256_max_ps(bound, v); }
INLINE vector_f64 at_least_f64(vector_f64 v, vector_f64 bound) { return _mm256_max_pd(bound, v); }
INLINE vector_f32 at_most_f32(vector_f32 v, vector_f32 bound) { return _mm256_min_ps(bound, v); }
INLINE vector_f64 at_most_f64(vector_f64 v, vector_f64 bound) { return _mm256_min_pd(bound, v); }

/* Lane i of lane_sums is the sum of the lanes of s[i]: of two vectors becomes one, by lanes, by pairs of them and so
 * on. */
INLINE vector_f32 add_lanes(vector_f32 a, vector_f32 b) { return _mm256_unpacklo_ps(a, b) + _mm256_unpackhi_ps(a, b); }
INLINE vector_f32 sums_of_four(const vector_f32 *s) {
    const vector_f64 a = (vector_f64)add_lanes(s[0], s[1]), b = (vector_f64)add_lanes(s[2], s[3]);
    return (vector_f32)_mm256_unpacklo_pd(a, b) + (vector_f32)_mm256_unpackhi_pd(a, b);
}
INLINE vector_f32 lane_sums_f32(const vector_f32 *s) {
    const vector_f32 a = sums_of_four(s), b = sums_of_four(s + 4);
    return _mm256_permute2f128_ps(a, b, 0x20) + _mm256_permute2f128_ps(a, b, 0x31);
}

INLINE vector_f64 sums_of_two(const vector_f64 *s) {
    return _mm256_unpacklo_pd(s[0], s[1]) + _mm256_unpackhi_pd(s[0], s[1]);
}
INLINE vector_f64 lane_sums_f64(const vector_f64 *s) {
    const vector_f64 a = sums_of_two(s), b = sums_of_two(s + 2);
    return _mm256_permute2f128_pd(a, b, 0x20) + _mm256_permute2f128_pd(a, b, 0x31);
}

INLINE vector_f32 select_f32(mask_f32 m, vector_f32 yes, vector_f32 no) {
    return _mm256_blendv_ps(no, yes, (vector_f32)m);
}
INLINE vector_f64 select_f64(mask_f64 m, vector_f64 yes, vector_f64 no) {
    return _mm256_blendv_pd(no, yes, (vector_f64)m);
}

/* AMD's masked stores take some twenty cycles; the lanes are stored by fours, twos and ones instead. */
typedef struct {
    __m256i alive;
    ptrdiff_t n;
} lanes_f32, lanes_f64;

INLINE lanes_f32 first_lanes_f32(ptrdiff_t n) {
    const __m256i numbers = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return (lanes_f32){_mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), numbers), n};
}
INLINE lanes_f64 first_lanes_f64(ptrdiff_t n) {
    return (lanes_f64){_mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3)), n};
}
INLINE vector_f32 load_lanes_f32(const float *p, lanes_f32 live) { return _mm256_maskload_ps(p, live.alive); }
INLINE vector_f64 load_lanes_f64(const double *p, lanes_f64 live) { return _mm256_maskload_pd(p, live.alive); }
INLINE void store_lanes_f32(float *p, vector_f32 v, lanes_f32 live) {
    __m128 part = _mm256_castps256_ps128(v);
    if (live.n & 8) {
        _mm256_storeu_ps(p, v);
        return;
    }
    if (live.n & 4) {
        _mm_storeu_ps(p, part);
        part = _mm256_extractf128_ps(v, 1);
        p += 4;
    }
    if (live.n & 2) {
        _mm_storel_pi((__m64 *)p, part);
        part = _mm_movehl_ps(part, part);
        p += 2;
    }
    if (live.n & 1) _mm_store_ss(p, part);
}
INLINE void store_lanes_f64(double *p, vector_f64 v, lanes_f64 live) {
    __m128d part = _mm256_castpd256_pd128(v);
    if (live.n & 4) {
        _mm256_storeu_pd(p, v);
        return;
    }
    if (live.n & 2) {
        _mm_storeu_pd(p, part);
        part = _mm256_extractf128_pd(v, 1);
        p += 2;
    }
    if (live.n & 1) _mm_store_sd(p, part);
}

#endif
