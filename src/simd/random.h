/* Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3; 2011), many blocks at once.
   Floor 0. It knows nothing of what the words are drawn for. Integers only: every instruction set gives the same
   words. Many groups at once are a kernel of the table. */
#ifndef CNN_CORE_RANDOM_H
#define CNN_CORE_RANDOM_H

#include <stdint.h>

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

#endif
