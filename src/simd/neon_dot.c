/* Quads on AArch64 with the dot products of ARMv8.2, which multiply signed bytes. Floor 0. */
#include "target.h"

#if defined(__aarch64__) && !defined(_MSC_VER)
BEGIN_TARGET(NEON_DOT)

#define VECTOR_BYTES 16
#define NO_MASKED_ACCESS
#include "vectors.h"

INLINE vector_i32 multiply_quads(vector_i32 x, vector_i32 w, vector_i32 sum) {
    __asm__("sdot %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(x), "w"(w)); /* older compilers lack the intrinsic */
    return sum;
}

#define QUAD_TABLE neon_dot
#define X_OFFSET 0
#define LOOKS_AHEAD 0
#define TILE_ROWS 8
#define NARROW_TILE_ROWS 8
#include "quads.template.c"

END_TARGET
#endif
