/* Products of pairs of bfloat16, and the table that names them; dispatch.c hands it out. Floor 0.
   The including file has given the vectors (vectors.h), the roundings, and either multiply_pairs with what
   kernels.template.c asks for of a product's tiles, or TILE_REGISTERS as tiles.template.c wants them. */
#ifndef PAIR_TABLE
#error "to be included by a file whose processor multiplies pairs"
#endif
#include "rows.h"

#define REAL float
#define NAMED(name) name##_f32
#include "access.template.c"
#ifdef TILE_REGISTERS
#define READS_ROWS 1
#include "tiles.template.c"
#else
#define READS_ROWS 0
/* The tiles compute with floats whose bits are pairs, and do nothing else with them than to load and broadcast them. */
#undef multiply_add
#define multiply_add multiply_pairs
#undef broadcast
#define broadcast broadcast_pair
#include "tile.template.c"
#endif

const pair_kernels JOINED(pair_kernels, PAIR_TABLE) = {
    .instruction_set = TEXT(PAIR_TABLE),
    .panel_product = panel_product_f32,
    .row_product = row_product_f32,
    .most_single_rows = 2,
    .reads_rows = READS_ROWS,
    .interleave = interleave,
    .pair_up = pair_up,
    .round_values = round_values,
};
