/* Any processor that GCC or Clang compiles for. Floor 0. */
#include "portable.h"

#define INSTRUCTION_SET portable
#define TILE_ROWS 4
#define NARROW_TILE_ROWS 6
#define PAIR_TILE_ROWS 4
#define NARROW_PAIR_TILE_ROWS 6
#include "kernels.template.c"
