/* Everything that one instruction set offers: for float, for double, and for pairs of bfloat16. Floor 0.
   The including file has given the vectors (vectors.h), INSTRUCTION_SET, the heights of its tiles: TILE_ROWS for
   tiles two vectors wide, NARROW_TILE_ROWS for those of one, PAIR_TILE_ROWS and NARROW_PAIR_TILE_ROWS for those of
   pairs; and LOOKS_AHEAD where tiles are to prefetch for later ones, as pays where the multiplications leave the memory
   little time. */
#ifndef INSTRUCTION_SET
#error "to be included by the file of an instruction set"
#endif
#include "constants.h"
#include "quotients.h"
#include "rows.h"

#ifndef LOOKS_AHEAD
#define LOOKS_AHEAD 0
#endif

#include "random.template.c"

#define REAL float
#define NAMED(name) name##_f32
#include "kernels_of_real.template.c"
#undef REAL
#undef NAMED
#define REAL double
#define NAMED(name) name##_f64
#include "kernels_of_real.template.c"
#undef REAL
#undef NAMED
#include "widening.template.c"
