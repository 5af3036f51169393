/* Groups of Philox's words for an instruction set that brings no way of its own (random_x86.h is one). Floor 0. */
#ifndef INSTRUCTION_SET
#error "to be included by kernels.template.c, once an instruction set"
#endif
#include "random.h"

#ifndef PHILOX_BY_LANES
static void philox_groups(uint32_t *words, uint64_t first_group, ptrdiff_t n_groups, uint64_t stream, uint64_t key) {
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
#endif
