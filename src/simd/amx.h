/* The tile registers of AMX, whose products of pairs and quads are the fastest that there are. Floor 0.
   The instructions are written out: compilers disagree about their intrinsics, and have dropped stores before them. */
#ifndef CNN_CORE_AMX_H
#define CNN_CORE_AMX_H

#define TILE_REGISTERS
#define CONFIGURE(c) __asm__ volatile("ldtilecfg %0" ::"m"(*(c)))
#define CLEAR_TILE(tile) __asm__ volatile("tilezero %%tmm%c0" ::"i"(tile))
#define LOAD_TILE(tile, from, row_bytes) \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"((ptrdiff_t)(row_bytes)), "i"(tile))
#define STORE_TILE(tile, to, row_bytes) \
    __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"((ptrdiff_t)(row_bytes)), "i"(tile) : "memory")
#define RELEASE() __asm__ volatile("tilerelease")
#define WRITTEN_FOR_TILES() __asm__ volatile("" ::: "memory")
#define MULTIPLY_BY(instruction, sum, x, w) \
    __asm__ volatile(instruction " %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sum), "i"(x), "i"(w))

#endif
