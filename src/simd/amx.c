/* Pairs of bfloat16 on x86-64 with AMX_BF16, and the permission that tile registers need. Floor 0. */
#if defined(__linux__)
#define _GNU_SOURCE /* syscall */
#endif
#include "target.h"

#if defined(__x86_64__)
BEGIN_TARGET(AVX512 ",avx512bf16")

#include "amx.h"
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

#define MULTIPLY_TILES(sum, x, w) MULTIPLY_BY("tdpbf16ps", sum, x, w)
#define PAIR_TABLE amx
#include "pairs.template.c"

END_TARGET
#endif
