/* Quads on x86-64 with AVX-512, which multiplies bytes in pairs, one factor unsigned: the sign of x goes to w. Floor 0.
 */
#include "target.h"

#if defined(__x86_64__)
BEGIN_TARGET(AVX512)

#include "avx512.h"

INLINE vector_i32 multiply_quads(vector_i32 x, vector_i32 w, vector_i32 sum) {
    const __m512i none = _mm512_setzero_si512(), signed_w = (__m512i)w;
    const __m512i w_by_sign = _mm512_mask_sub_epi8(signed_w, _mm512_movepi8_mask((__m512i)x), none, signed_w);
    const __m512i pairs = _mm512_maddubs_epi16(_mm512_abs_epi8((__m512i)x), w_by_sign);
    return sum + (vector_i32)_mm512_madd_epi16(pairs, _mm512_set1_epi16(1));
}

#define QUAD_TABLE avx512
#define X_OFFSET 0
#define LOOKS_AHEAD 1
#define TILE_ROWS 8
#define NARROW_TILE_ROWS 8
#include "quads.template.c"

END_TARGET
#endif
