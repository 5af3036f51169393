/* Groups of Philox's words on the vectors of AVX2 and above. Floor 0. */
#include "random.h"

#define PHILOX_BY_LANES

/* A block a lane, a word in the lower half of each 64-bit lane: the multiplication ignores the upper halves, so they
   may hold anything. */
typedef integers_f64 words_of_lanes;
typedef struct {
    words_of_lanes word[4];
} philox_lanes;

#if VECTOR_BYTES == 64
INLINE words_of_lanes multiply_words(words_of_lanes a, uint32_t b) {
    return (words_of_lanes)_mm512_mul_epu32((__m512i)a, _mm512_set1_epi64(b));
}
#else
INLINE words_of_lanes multiply_words(words_of_lanes a, uint32_t b) {
    return (words_of_lanes)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x(b));
}
#endif

INLINE void philox_round_of_lanes(philox_lanes *blocks, words_of_lanes key_0, words_of_lanes key_1) {
    const words_of_lanes first = multiply_words(blocks->word[0], PHILOX_MULTIPLIER_0);
    const words_of_lanes second = multiply_words(blocks->word[2], PHILOX_MULTIPLIER_1);
    blocks->word[0] = second >> 32 ^ blocks->word[1] ^ key_0;
    blocks->word[1] = second;
    blocks->word[2] = first >> 32 ^ blocks->word[3] ^ key_1;
    blocks->word[3] = first;
}

static void philox_groups(uint32_t *words, uint64_t first_group, ptrdiff_t n_groups, uint64_t stream, uint64_t key) {
    enum { AT_ONCE = 2 * LANES_f64, PARTS = PHILOX_BLOCKS / AT_ONCE };
    const words_of_lanes none = {0};
    words_of_lanes even_offsets, keys[PHILOX_ROUNDS][2];
    for (int i = 0; i < LANES_f64; i++) even_offsets[i] = 2 * i;
    for (uint32_t round = 0; round < PHILOX_ROUNDS; round++) {
        keys[round][0] = none + (uint32_t)((uint32_t)key + round * PHILOX_STEP_0);
        keys[round][1] = none + (uint32_t)((uint32_t)(key >> 32) + round * PHILOX_STEP_1);
    }
    for (ptrdiff_t part = 0; part < n_groups * PARTS; part++) {
        const uint64_t first_block = first_group * PHILOX_BLOCKS + (uint64_t)part * AT_ONCE;
        philox_lanes even = {
            {even_offsets + first_block, none + (first_block >> 32), none + stream, none + (stream >> 32)}};
        philox_lanes odd = even;
        odd.word[0] = even.word[0] + 1;
        for (int round = 0; round < PHILOX_ROUNDS; round++) {
            philox_round_of_lanes(&even, keys[round][0], keys[round][1]);
            philox_round_of_lanes(&odd, keys[round][0], keys[round][1]);
        }
        uint32_t *target = words + part / PARTS * PHILOX_WORDS + part % PARTS * AT_ONCE;
        for (int k = 0; k < 4; k++) {
            const words_of_lanes both = (even.word[k] & UINT32_MAX) | odd.word[k] << 32;
            __builtin_memcpy(target + k * PHILOX_BLOCKS, &both, sizeof both);
        }
    }
}
