/* x86-64 with AVX2 and FMA: 32-byte vectors, 16 registers. Floor 0. */
#include "target.h"

#if defined(__x86_64__)
BEGIN_TARGET(AVX2)

#include "avx2.h"
#include "random_x86.h"

#define INSTRUCTION_SET avx2
#define TILE_ROWS 6
#define NARROW_TILE_ROWS 12
#define PAIR_TILE_ROWS 4
#define NARROW_PAIR_TILE_ROWS 8
#include "kernels.template.c"

END_TARGET
#endif
