/* Quads on x86-64 with AVX2, which multiplies bytes in pairs, one factor unsigned: the sign of x goes to w. Floor 0. */
#if defined(__x86_64__)
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif

#include "avx2.h"

typedef int32_t sums __attribute__((vector_size(VECTOR_BYTES)));

INLINE sums multiply_quads(sums x, sums w, sums sum) {
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8((__m256i)x), _mm256_sign_epi8((__m256i)w, (__m256i)x));
    return sum + (sums)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

#define QUAD_TABLE avx2
#define X_OFFSET 0
#define LOOKS_AHEAD 0
#define TILE_ROWS 4
#define NARROW_TILE_ROWS 8
#include "quads.template.c"

#if defined(__clang__)
#pragma clang attribute pop
#endif
#else
typedef int nothing_to_compile;
#endif
