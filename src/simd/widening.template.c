/* Products of pairs of bfloat16 by the multiplications of floats: a pair is two steps of a sum, the even one first, as
   the product of rounded floats has them. For few rows reading w takes longer than computing, and pairs are half as
   much to read. Floor 0. Included behind the kernels of floats, of which it takes the vectors; the instruction set has
   given the heights of tiles, PAIR_TILE_ROWS and NARROW_PAIR_TILE_ROWS: numbers on their way to a product take some
   registers from the sums. */
#ifndef PAIR_TILE_ROWS
#error "to be included by kernels.template.c, behind the kernels of floats"
#endif
#include "bfloat16.h"
#include "pairs.h"

/* Of vectors whose bits are pairs. */
INLINE vector_f32 evens_of(vector_f32 pairs) { return (vector_f32)((integers_f32)pairs << 16); }
INLINE vector_f32 odds_of(vector_f32 pairs) { return (vector_f32)((integers_f32)pairs & HIGH_HALF); }

INLINE vector_f32 multiply_pairs(vector_f32 x, vector_f32 w, vector_f32 sum) {
    return multiply_add_f32(odds_of(x), odds_of(w), multiply_add_f32(evens_of(x), evens_of(w), sum));
}

/* What the tiles define is named for pairs; their vectors are those of floats. */
#define REAL float
#define NAMED(name) name##_pairs
#undef vector
#define vector vector_f32
#undef lanes
#define lanes lanes_f32
#undef LANES
#define LANES LANES_f32
#undef load
#define load load_f32
#undef store
#define store store_f32
#undef first_lanes
#define first_lanes first_lanes_f32
#undef load_lanes
#define load_lanes load_lanes_f32
#undef store_lanes
#define store_lanes store_lanes_f32
#undef broadcast
#define broadcast broadcast_f32
#undef multiply_add
#define multiply_add multiply_pairs
#undef at_least
#define at_least at_least_f32
#undef greater
#define greater greater_f32
#undef select
#define select select_f32
#undef TILE_ROWS
#define TILE_ROWS PAIR_TILE_ROWS
#undef NARROW_TILE_ROWS
#define NARROW_TILE_ROWS NARROW_PAIR_TILE_ROWS
#include "access.template.c"
#include "tile.template.c"

/* panel[k,c] = number k of the pairs in column c, padded by zeros to a panel's width. */
static void widen_panel(float *panel, const uint32_t *pairs, ptrdiff_t n_k, ptrdiff_t n_cols, ptrdiff_t pairs_row) {
    const ptrdiff_t width = PANEL_VECTORS * LANES;
    for (ptrdiff_t k = 0; k < n_k; k += 2, pairs += pairs_row, panel += 2 * width)
        for (ptrdiff_t c = 0; c < width; c += LANES) {
            const float *begin = (const float *)pairs + c;
            const vector_f32 both = c < n_cols ? NAMED(load_next)(begin, n_cols - c) : (vector_f32){0};
            store(panel + c, evens_of(both));
            if (k + 1 < n_k) store(panel + width + c, odds_of(both));
        }
}

const pair_kernels JOINED(pair_kernels, INSTRUCTION_SET) = {
    .instruction_set = TEXT(INSTRUCTION_SET),
    .panel_product = panel_product_pairs,
    .row_product = row_product_pairs,
    .most_single_rows = PAIR_TILE_ROWS < 8 ? 8 : 2, /* low tiles have too few sums to hide how long each step takes */
    .reads_rows = 0,
    .interleave = interleave,
    .pair_up = pair_up,
    .round_values = round_values,
    .widen_panel = widen_panel,
};
