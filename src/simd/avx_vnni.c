/* Quads on x86-64 with AVX-VNNI, whose instruction multiplies unsigned bytes by signed ones. Floor 0. */
#include "target.h"

#if defined(__x86_64__)
BEGIN_TARGET(AVX2 ",avxvnni")

#include "avx2.h"

INLINE vector_i32 multiply_quads(vector_i32 x, vector_i32 w, vector_i32 sum) {
    return (vector_i32)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)x, (__m256i)w);
}

#define QUAD_TABLE avx_vnni
#define X_OFFSET 128
#define LOOKS_AHEAD 0
#define TILE_ROWS 6
#define NARROW_TILE_ROWS 12
#include "quads.template.c"

END_TARGET
#endif
