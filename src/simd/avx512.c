/* x86-64 with AVX-512 (F, DQ, BW, VL): 64-byte vectors, 32 registers, mask registers. Floor 0. */
#include "target.h"

#if defined(__x86_64__)
BEGIN_TARGET(AVX512)

#include "avx512.h"
#include "random_x86.h"

#define INSTRUCTION_SET avx512
#define LOOKS_AHEAD 1
#define TILE_ROWS 14
#define NARROW_TILE_ROWS 14
#define PAIR_TILE_ROWS 12
#define NARROW_PAIR_TILE_ROWS 14
#include "kernels.template.c"

END_TARGET
#endif
