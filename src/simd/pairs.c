/* Pairs of bfloat16 in plain C, bit for bit as AVX512_BF16 has them. Floor 0.
   Where it runs the multiplications of floats are faster: its products show in tests what others do. */
#include "pairs.h"

#include "portable.h"
#include "bfloat16.h"

/* Not inline: nothing but tests calls it, and the tiles repeat it a thousand times. */
static NOT_INLINE vector_f32 multiply_pairs(vector_f32 x, vector_f32 w, vector_f32 sum) {
    for (int i = 0; i < LANES_f32; i++) {
        const float with_odd = add_product(odd_of(x[i]), odd_of(w[i]), sum[i]);
        sum[i] = add_product(even_of(x[i]), even_of(w[i]), with_odd);
    }
    return sum;
}

INLINE vector_f32 broadcast_pair(float pair) { return (vector_f32){pair, pair, pair, pair}; }

#define PAIR_TABLE plain
#define LOOKS_AHEAD 0
#define TILE_ROWS 4
#define NARROW_TILE_ROWS 6
#include "pairs.template.c"
