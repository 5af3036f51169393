/* Quads in plain C, for any processor. Floor 0. */
#include "portable.h"

#if defined(__SSE2__)
/* Bytes of even and of odd number apart, as numbers of 16 bits. */
INLINE __m128i even_of(vector_i32 quads) { return _mm_srai_epi16(_mm_slli_epi16((__m128i)quads, 8), 8); }
INLINE __m128i odd_of(vector_i32 quads) { return _mm_srai_epi16((__m128i)quads, 8); }

INLINE vector_i32 multiply_quads(vector_i32 x, vector_i32 w, vector_i32 sum) {
    return sum + (vector_i32)_mm_madd_epi16(even_of(x), even_of(w)) + (vector_i32)_mm_madd_epi16(odd_of(x), odd_of(w));
}
#else
/* Byte i of every quad as a number of 32 bits, from the high end. */
INLINE vector_i32 byte_of(vector_i32 quads, int i) { return quads << 8 * i >> 24; }

INLINE vector_i32 multiply_quads(vector_i32 x, vector_i32 w, vector_i32 sum) {
    for (int i = 0; i < 4; i++) sum += byte_of(x, i) * byte_of(w, i);
    return sum;
}
#endif

#define QUAD_TABLE plain
#define X_OFFSET 0
#define LOOKS_AHEAD 0
#define TILE_ROWS 4
#define NARROW_TILE_ROWS 4
#include "quads.template.c"
