/* Groups of Philox's words on 32-byte vectors of x86, for AVX2 and above. Floor 0. */
#include "random.h"

#define PHILOX_BY_LANES

/* Four blocks, a word in the lower half of each 64-bit lane: the multiplication ignores the upper halves, so they may
   hold anything. */
typedef struct {
    __m256i word[4];
} philox_lanes;

INLINE void philox_round_of_lanes(philox_lanes *four, __m256i key_0, __m256i key_1) {
    __m256i first = _mm256_mul_epu32(four->word[0], _mm256_set1_epi64x(PHILOX_MULTIPLIER_0));
    __m256i second = _mm256_mul_epu32(four->word[2], _mm256_set1_epi64x(PHILOX_MULTIPLIER_1));
    four->word[0] = _mm256_xor_si256(_mm256_srli_epi64(second, 32), _mm256_xor_si256(four->word[1], key_0));
    four->word[1] = second;
    four->word[2] = _mm256_xor_si256(_mm256_srli_epi64(first, 32), _mm256_xor_si256(four->word[3], key_1));
    four->word[3] = first;
}

static void philox_groups(uint32_t *words, uint64_t first_group, ptrdiff_t n_groups, uint64_t stream, uint64_t key) {
    const __m256i even_offsets = _mm256_setr_epi64x(0, 2, 4, 6), one = _mm256_set1_epi64x(1);
    __m256i keys[PHILOX_ROUNDS][2];
    for (uint32_t round = 0; round < PHILOX_ROUNDS; round++) {
        keys[round][0] = _mm256_set1_epi64x((uint32_t)key + round * PHILOX_STEP_0);
        keys[round][1] = _mm256_set1_epi64x((uint32_t)(key >> 32) + round * PHILOX_STEP_1);
    }
    for (ptrdiff_t eight = 0; eight < n_groups * 2; eight++) {
        uint64_t first_block = first_group * PHILOX_BLOCKS + (uint64_t)eight * 8;
        philox_lanes even = {{_mm256_add_epi64(_mm256_set1_epi64x((long long)first_block), even_offsets),
                              _mm256_set1_epi64x((long long)(first_block >> 32)), _mm256_set1_epi64x((long long)stream),
                              _mm256_set1_epi64x((long long)(stream >> 32))}};
        philox_lanes odd = even;
        odd.word[0] = _mm256_add_epi64(even.word[0], one);
        for (int round = 0; round < PHILOX_ROUNDS; round++) {
            philox_round_of_lanes(&even, keys[round][0], keys[round][1]);
            philox_round_of_lanes(&odd, keys[round][0], keys[round][1]);
        }
        uint32_t *target = words + (eight / 2) * PHILOX_WORDS + (eight % 2) * 8;
        for (int k = 0; k < 4; k++) {
            __m256i eight_words = _mm256_blend_epi32(even.word[k], _mm256_slli_epi64(odd.word[k], 32), 0xAA);
            _mm256_storeu_si256((__m256i *)(target + k * PHILOX_BLOCKS), eight_words);
        }
    }
}
