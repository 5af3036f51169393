/* Quads on x86-64 with AVX2, which multiplies bytes in pairs, one factor unsigned: the sign of x goes to w. Floor 0. */
#include "target.h"

#if defined(__x86_64__)
BEGIN_TARGET(AVX2)

#include "avx2.h"

INLINE vector_i32 multiply_quads(vector_i32 x, vector_i32 w, vector_i32 sum) {
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8((__m256i)x), _mm256_sign_epi8((__m256i)w, (__m256i)x));
    return sum + (vector_i32)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

#define QUAD_TABLE avx2
#define X_OFFSET 0
#define LOOKS_AHEAD 0
#define TILE_ROWS 4
#define NARROW_TILE_ROWS 8
#include "quads.template.c"

END_TARGET
#endif
