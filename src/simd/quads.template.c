/* Products of quads, what makes quads of floats and floats of sums, and the table of it all. Floor 0.
   The including file has given the vectors (vectors.h), X_OFFSET, QUAD_TABLE, and either multiply_quads with what
   kernels.template.c asks for of a product's tiles, or TILE_REGISTERS as tiles.template.c wants them and
   PANEL_WIDTH. */
#ifndef QUAD_TABLE
#error "to be included by a file that multiplies quads"
#endif
#include <string.h>

#include "quads.h"
#include "rows.h"

#define REAL int32_t
#define NAMED(name) name##_i32

#ifdef MASK_REGISTERS
typedef integers NAMED(mask);
INLINE mask greater(vector a, vector b) { return (mask)(a > b); }
#endif
#ifndef NO_MASKED_ACCESS
typedef lanes_f32 NAMED(lanes);
INLINE lanes first_lanes(ptrdiff_t n) { return first_lanes_f32(n); }
INLINE vector load_lanes(const int32_t *p, lanes live) { return (vector)load_lanes_f32((const float *)p, live); }
INLINE void store_lanes(int32_t *p, vector v, lanes live) { store_lanes_f32((float *)p, (vector_f32)v, live); }
#endif
INLINE vector select(mask m, vector yes, vector no) { return (vector)((m & (mask)yes) | (~m & (mask)no)); }
INLINE vector at_least(vector v, vector bound) { return select(greater(v, bound), v, bound); }

#undef LOWEST
#define LOWEST INT32_MIN
#include "access.template.c"
#ifdef TILE_REGISTERS
#include "tiles.template.c"
#else
#define PANEL_WIDTH (PANEL_VECTORS * LANES)
/* To the tiles a step of a sum is one of 32 bits. */
#undef multiply_add
#define multiply_add multiply_quads
#include "tile.template.c"
#endif

/* Adding this rounds to a whole number, whose low bits are those of the sum. */
static const float WHOLE = 0x1.8p23f;

/* The bits of magnitudes are in the order of the magnitudes, with those of NaN above all others. */
static uint32_t largest_magnitude(const float *x, const float *factors, ptrdiff_t n) {
    uint32_t largest = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        const float product = x[i] * factors[i];
        uint32_t bits;
        memcpy(&bits, &product, sizeof bits);
        bits &= 0x7fffffff;
        largest = bits > largest ? bits : largest;
    }
    return largest;
}

static float quantize(int32_t *quads, const float *x, const float *factors, ptrdiff_t n) {
    const uint32_t infinity = 0x7f800000, bits = largest_magnitude(x, factors, n);
    uint8_t *numbers = (uint8_t *)quads;
    float largest;
    memcpy(&largest, &bits, sizeof largest);
    memset(numbers + n, X_OFFSET, -(size_t)n % 4);
    if (bits >= infinity || largest < 127 * FLT_MIN) { /* no number stands for it, or all are as good as zero */
        for (ptrdiff_t i = 0; i < n; i++) numbers[i] = X_OFFSET;
        return bits < infinity ? 0 : NAN;
    }
    const float per_unit = 127 / largest;
    for (ptrdiff_t i = 0; i < n; i++) {
        const float whole = x[i] * factors[i] * per_unit + WHOLE;
        uint32_t low;
        memcpy(&low, &whole, sizeof low);
        numbers[i] = (uint8_t)(low + X_OFFSET);
    }
    return largest / 127;
}

static void restore(float *y, const int32_t *w_sums, const float *w_units, const float *bias, float x_unit, float floor,
                    ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) {
        int32_t sum;
        memcpy(&sum, y + i, sizeof sum);
        const float value = (float)(sum - X_OFFSET * w_sums[i]) * (x_unit * w_units[i]) + bias[i];
        y[i] = value < floor ? floor : value;
    }
}

const quad_kernels JOINED(quad_kernels, QUAD_TABLE) = {
    .instruction_set = TEXT(QUAD_TABLE),
    .panel_width = PANEL_WIDTH,
    .x_offset = X_OFFSET,
    .panel_product = panel_product_i32,
    .row_product = row_product_i32,
    .quantize = quantize,
    .restore = restore,
};
