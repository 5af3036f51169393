/* Quads on x86-64 with AVX512_VNNI, whose instruction multiplies unsigned bytes by signed ones. Floor 0. */
#if defined(__x86_64__)
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,avx512f,avx512dq,avx512bw,avx512vl,avx512vnni"))), \
                             apply_to = function)
#else
#pragma GCC target("avx2,fma,avx512f,avx512dq,avx512bw,avx512vl,avx512vnni,prefer-vector-width=512")
#endif

#include "avx512.h"

typedef int32_t sums __attribute__((vector_size(VECTOR_BYTES)));

INLINE sums multiply_quads(sums x, sums w, sums sum) {
    return (sums)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)x, (__m512i)w);
}

#define QUAD_TABLE avx512_vnni
#define X_OFFSET 128
#define LOOKS_AHEAD 1
#define TILE_ROWS 14
#define NARROW_TILE_ROWS 14
#include "quads.template.c"

#if defined(__clang__)
#pragma clang attribute pop
#endif
#else
typedef int nothing_to_compile;
#endif
