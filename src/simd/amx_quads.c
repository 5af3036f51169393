/* Quads on x86-64 with AMX_INT8, of whose instructions this one takes x as AVX512_VNNI does: who changes from one table
   to the other may do so between making quads and multiplying them. Floor 0. */
#include "target.h"

#if defined(__x86_64__)
BEGIN_TARGET(AVX512)

#include "amx.h"
#include "avx512.h"

#define MULTIPLY_TILES(sum, x, w) MULTIPLY_BY("tdpbusd", sum, x, w)
#define QUAD_TABLE amx
#define X_OFFSET 128
#define PANEL_WIDTH BLOCK_EDGE /* AVX-512's */
#include "quads.template.c"

END_TARGET
#endif
