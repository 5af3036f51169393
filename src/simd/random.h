/* Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3; 2011), many blocks at once.
   Floor 0. It knows nothing of what the words are drawn for. Integers only: every path gives the same words, so the
   instruction set decides nothing but the time. A header, because random.pxd is its only user. */
#ifndef CNN_CORE_RANDOM_H
#define CNN_CORE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include "kernels.h"

enum {
    PHILOX_ROUNDS = 10,
    PHILOX_BLOCKS = 16,               /* blocks of four words in a group: enough for every width of vector */
    PHILOX_WORDS = 4 * PHILOX_BLOCKS, /* words in a group */
};

#define PHILOX_MULTIPLIER_0 UINT32_C(0xD2511F53)
#define PHILOX_MULTIPLIER_1 UINT32_C(0xCD9E8D57)
#define PHILOX_STEP_0 UINT32_C(0x9E3779B9) /* what a round adds to the key */
#define PHILOX_STEP_1 UINT32_C(0xBB67AE85)

static inline void philox_round(uint32_t block[4], uint32_t key_0, uint32_t key_1) {
    uint64_t first = (uint64_t)PHILOX_MULTIPLIER_0 * block[0];
    uint64_t second = (uint64_t)PHILOX_MULTIPLIER_1 * block[2];
    block[0] = (uint32_t)(second >> 32) ^ block[1] ^ key_0;
    block[1] = (uint32_t)second;
    block[2] = (uint32_t)(first >> 32) ^ block[3] ^ key_1;
    block[3] = (uint32_t)first;
}

/* block = philox(block; key), the counter's least significant word first. */
static inline void philox_block(uint32_t block[4], uint64_t key) {
    uint32_t key_0 = (uint32_t)key, key_1 = (uint32_t)(key >> 32);
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        philox_round(block, key_0, key_1);
        key_0 += PHILOX_STEP_0;
        key_1 += PHILOX_STEP_1;
    }
}

/* words[g][k * 16 + b] = word k of block (first_group + g) * 16 + b of the stream: word by word rather than block by
   block, as vectors leave them. */
static inline void philox_groups_portable(uint32_t *words, uint64_t first_group, ptrdiff_t n_groups, uint64_t stream,
                                          uint64_t key) {
    for (ptrdiff_t group = 0; group < n_groups; group++) {
        uint64_t first_block = (first_group + (uint64_t)group) * PHILOX_BLOCKS;
        for (int b = 0; b < PHILOX_BLOCKS; b++) {
            uint32_t block[4] = {(uint32_t)first_block + (uint32_t)b, (uint32_t)(first_block >> 32), (uint32_t)stream,
                                 (uint32_t)(stream >> 32)};
            philox_block(block, key);
            for (int k = 0; k < 4; k++) words[group * PHILOX_WORDS + k * PHILOX_BLOCKS + b] = block[k];
        }
    }
}

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define PHILOX_AVX2
#include <immintrin.h>
#define AVX2_FUNCTION static inline __attribute__((target("avx2")))

/* Four blocks, a word in the lower half of each 64-bit lane: the multiplication ignores the upper halves, so they may
   hold anything. */
typedef struct {
    __m256i word[4];
} philox_lanes;

AVX2_FUNCTION void philox_round_avx2(philox_lanes *lanes, __m256i key_0, __m256i key_1) {
    __m256i first = _mm256_mul_epu32(lanes->word[0], _mm256_set1_epi64x(PHILOX_MULTIPLIER_0));
    __m256i second = _mm256_mul_epu32(lanes->word[2], _mm256_set1_epi64x(PHILOX_MULTIPLIER_1));
    lanes->word[0] = _mm256_xor_si256(_mm256_srli_epi64(second, 32), _mm256_xor_si256(lanes->word[1], key_0));
    lanes->word[1] = second;
    lanes->word[2] = _mm256_xor_si256(_mm256_srli_epi64(first, 32), _mm256_xor_si256(lanes->word[3], key_1));
    lanes->word[3] = first;
}

AVX2_FUNCTION void philox_groups_avx2(uint32_t *words, uint64_t first_group, ptrdiff_t n_groups, uint64_t stream,
                                      uint64_t key) {
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
            philox_round_avx2(&even, keys[round][0], keys[round][1]);
            philox_round_avx2(&odd, keys[round][0], keys[round][1]);
        }
        uint32_t *target = words + (eight / 2) * PHILOX_WORDS + (eight % 2) * 8;
        for (int k = 0; k < 4; k++) {
            __m256i eight_words = _mm256_blend_epi32(even.word[k], _mm256_slli_epi64(odd.word[k], 32), 0xAA);
            _mm256_storeu_si256((__m256i *)(target + k * PHILOX_BLOCKS), eight_words);
        }
    }
}
#endif

static inline void philox_groups(uint32_t *words, uint64_t first_group, ptrdiff_t n_groups, uint64_t stream,
                                 uint64_t key) {
#ifdef PHILOX_AVX2
    if (simd_f32->instruction_set[0] == 'a') { /* avx2 or avx512 */
        philox_groups_avx2(words, first_group, n_groups, stream, key);
        return;
    }
#endif
    philox_groups_portable(words, first_group, n_groups, stream, key);
}

#endif
