/* x86-64 with AVX2 and FMA: 32-byte vectors, 16 registers. Floor 0. */
#if defined(__x86_64__)
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif

#include "avx2.h"
#include "random_x86.h"

#define INSTRUCTION_SET avx2
#define TILE_ROWS 6
#define NARROW_TILE_ROWS 12
#define PAIR_TILE_ROWS 4
#define NARROW_PAIR_TILE_ROWS 8
#include "kernels.template.c"

#if defined(__clang__)
#pragma clang attribute pop
#endif
#else
typedef int nothing_to_compile;
#endif
