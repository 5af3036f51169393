/* x86-64 with AVX512_BF16, whose instruction vdpbf16ps multiplies pairs of bfloat16. Floor 0. */
#if defined(__x86_64__)
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,avx512f,avx512dq,avx512bw,avx512vl,avx512bf16"))), \
                             apply_to = function)
#else
#pragma GCC target("avx2,fma,avx512f,avx512dq,avx512bw,avx512vl,avx512bf16,prefer-vector-width=512")
#endif

#include "avx512.h"
#include "avx512_bf16.h"
#include "pairs.h"

INLINE vector_f32 multiply_pairs(vector_f32 x, vector_f32 w, vector_f32 sum) {
    return _mm512_dpbf16_ps(sum, (__m512bh)x, (__m512bh)w);
}

INLINE vector_f32 broadcast_pair(float pair) { return _mm512_set1_ps(pair); }

#define PAIR_TABLE avx512_bf16
#define LOOKS_AHEAD 1
#define TILE_ROWS 14
#define NARROW_TILE_ROWS 14
#include "pairs.template.c"

#if defined(__clang__)
#pragma clang attribute pop
#endif
#else
typedef int nothing_to_compile;
#endif
