/* Quads on x86-64 with AVX-VNNI, whose instruction multiplies unsigned bytes by signed ones. Floor 0. */
#if defined(__x86_64__)
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,avxvnni"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,avxvnni")
#endif

#include "avx2.h"

typedef int32_t sums __attribute__((vector_size(VECTOR_BYTES)));

INLINE sums multiply_quads(sums x, sums w, sums sum) {
    return (sums)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)x, (__m256i)w);
}

#define QUAD_TABLE avx_vnni
#define X_OFFSET 128
#define LOOKS_AHEAD 0
#define TILE_ROWS 6
#define NARROW_TILE_ROWS 12
#include "quads.template.c"

#if defined(__clang__)
#pragma clang attribute pop
#endif
#else
typedef int nothing_to_compile;
#endif
