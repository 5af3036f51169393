/* Quads on AArch64 with the dot products of ARMv8.2, which multiply signed bytes. Floor 0. */
#if defined(__aarch64__) && !defined(_MSC_VER)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#else
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif

#define VECTOR_BYTES 16
#define NO_MASKED_ACCESS
#include "vectors.h"

typedef int32_t sums __attribute__((vector_size(VECTOR_BYTES)));

INLINE sums multiply_quads(sums x, sums w, sums sum) {
    __asm__("sdot %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(x), "w"(w)); /* older compilers lack the intrinsic */
    return sum;
}

#define QUAD_TABLE neon_dot
#define X_OFFSET 0
#define LOOKS_AHEAD 0
#define TILE_ROWS 8
#define NARROW_TILE_ROWS 8
#include "quads.template.c"

#if defined(__clang__)
#pragma clang attribute pop
#endif
#else
typedef int nothing_to_compile;
#endif
