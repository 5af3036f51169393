/* The product's tiles over pairs of bfloat16, and the table that names them. Floor 0.
   The including file has given the vectors (vectors.h), multiply_pairs, the roundings, and what kernels.template.c asks
   for of a product's tiles. */
#ifndef PAIR_TABLE
#error "to be included by a file whose processor multiplies pairs"
#endif
#include "rows.h"

#define REAL float
#define NAMED(name) name##_f32
/* The tiles compute with floats whose bits are pairs, and do nothing else with them than to load and broadcast them. */
#undef multiply_add
#define multiply_add multiply_pairs
#undef broadcast
#define broadcast broadcast_pair
#include "access.template.c"
#include "tile.template.c"

#define READS_ROWS 0
#include "pair_table.template.c"
