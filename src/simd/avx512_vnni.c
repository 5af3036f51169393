/* Quads on x86-64 with AVX512_VNNI, whose instruction multiplies unsigned bytes by signed ones. Floor 0. */
#include "target.h"

#if defined(__x86_64__)
BEGIN_TARGET(AVX512 ",avx512vnni")

#include "avx512.h"

INLINE vector_i32 multiply_quads(vector_i32 x, vector_i32 w, vector_i32 sum) {
    return (vector_i32)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)x, (__m512i)w);
}

#define QUAD_TABLE avx512_vnni
#define X_OFFSET 128
#define LOOKS_AHEAD 1
#define TILE_ROWS 14
#define NARROW_TILE_ROWS 14
#include "quads.template.c"

END_TARGET
#endif
