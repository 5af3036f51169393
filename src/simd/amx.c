/* x86-64 with AMX: tile registers, whose product of pairs of bfloat16 is the fastest that there is. Floor 0.
   The instructions are written out: compilers disagree about their intrinsics, and have dropped stores before them. */
#if defined(__linux__)
#define _GNU_SOURCE /* syscall */
#endif
#include "target.h"

#if defined(__x86_64__)
BEGIN_TARGET(AVX512 ",avx512bf16")

#include "avx512.h"
#include "avx512_bf16.h"
#include "pairs.h"

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>

int amx_is_permitted(void) {
    enum { GET_PERMISSIONS = 0x1022, REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    unsigned long states = 0;
    if (syscall(SYS_arch_prctl, GET_PERMISSIONS, &states) != 0) return 0;
    if (!(states >> TILE_DATA & 1)) syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA);
    return syscall(SYS_arch_prctl, GET_PERMISSIONS, &states) == 0 && (states >> TILE_DATA & 1);
}
#elif defined(_WIN32)
int amx_is_permitted(void) { return 1; } /* what the system saves, it permits */
#else
int amx_is_permitted(void) { return 0; }
#endif

#define CONFIGURE(c) __asm__ volatile("ldtilecfg %0" ::"m"(*(c)))
#define CLEAR_TILE(tile) __asm__ volatile("tilezero %%tmm%c0" ::"i"(tile))
#define LOAD_TILE(tile, from, row_bytes) \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"((ptrdiff_t)(row_bytes)), "i"(tile))
#define STORE_TILE(tile, to, row_bytes) \
    __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"((ptrdiff_t)(row_bytes)), "i"(tile) : "memory")
#define MULTIPLY_TILES(sum, x, w) __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sum), "i"(x), "i"(w))
#define RELEASE() __asm__ volatile("tilerelease")
#define WRITTEN_FOR_TILES() __asm__ volatile("" ::: "memory")
#define PAIR_TABLE amx
#include "tiles.template.c"

END_TARGET
#endif
