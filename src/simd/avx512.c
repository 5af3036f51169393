/* x86-64 with AVX-512 (F, DQ, BW, VL): 64-byte vectors, 32 registers, mask registers. Floor 0. */
#if defined(__x86_64__)
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,avx512f,avx512dq,avx512bw,avx512vl"))), \
                             apply_to = function)
#else
#pragma GCC target("avx2,fma,avx512f,avx512dq,avx512bw,avx512vl,prefer-vector-width=512")
#endif

#include "avx512.h"
#include "random_x86.h"

#define INSTRUCTION_SET avx512
#define LOOKS_AHEAD 1
#define TILE_ROWS 14
#define NARROW_TILE_ROWS 14
#define PAIR_TILE_ROWS 12
#define NARROW_PAIR_TILE_ROWS 14
#include "kernels.template.c"

#if defined(__clang__)
#pragma clang attribute pop
#endif
#else
typedef int nothing_to_compile;
#endif
