/* x86-64 with AVX512_BF16, whose instruction vdpbf16ps multiplies pairs of bfloat16. Floor 0. */
#include "target.h"

#if defined(__x86_64__)
BEGIN_TARGET(AVX512 ",avx512bf16")

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

END_TARGET
#endif
