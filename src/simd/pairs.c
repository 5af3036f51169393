/* Pairs of bfloat16 in plain C, bit for bit as AVX512_BF16 has them. Floor 0.
   Where processors multiply floats as fast only the roundings are used; the products show in tests what others do. */
#include "pairs.h"

#include "portable.h"

static const uint32_t EXPONENT = 0x7f800000, HIGH_HALF = 0xffff0000;

static uint32_t bits_of(float x) {
    union {
        float number;
        uint32_t bits;
    } both = {.number = x};
    return both.bits;
}

static float number_of(uint32_t bits) {
    union {
        uint32_t bits;
        float number;
    } both = {.bits = bits};
    return both.number;
}

/* x rounded, in the high half of 32 bits. */
static uint32_t rounded(float x) {
    const uint32_t bits = bits_of(x), quiet = 0x00400000, sign = 0x80000000;
    if ((bits & EXPONENT) == 0) return bits & sign;
    if ((bits & ~sign) > EXPONENT) return (bits | quiet) & HIGH_HALF;
    return (bits + 0x7fff + (bits >> 16 & 1)) & HIGH_HALF;
}

static float without_denormals(float x) { return (bits_of(x) & EXPONENT) == 0 ? number_of(bits_of(x) & 0x80000000) : x; }

INLINE vector_f32 multiply_pairs(vector_f32 x, vector_f32 w, vector_f32 sum) {
    for (int i = 0; i < LANES_f32; i++) {
        const uint32_t x_bits = bits_of(x[i]), w_bits = bits_of(w[i]);
        const float x_odd = without_denormals(number_of(x_bits & HIGH_HALF)), x_even = without_denormals(number_of(x_bits << 16));
        const float w_odd = without_denormals(number_of(w_bits & HIGH_HALF)), w_even = without_denormals(number_of(w_bits << 16));
        const float odd = without_denormals(fmaf(x_odd, w_odd, without_denormals(sum[i])));
        sum[i] = without_denormals(fmaf(x_even, w_even, odd));
    }
    return sum;
}

INLINE vector_f32 broadcast_pair(float pair) { return (vector_f32){pair, pair, pair, pair}; }

static void interleave(uint32_t *pairs, const float *even, const float *odd, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) pairs[i] = rounded(even[i]) >> 16 | (odd ? rounded(odd[i]) : 0);
}

static void pair_up(uint32_t *pairs, const float *x, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i += 2) pairs[i / 2] = rounded(x[i]) >> 16 | (i + 1 < n ? rounded(x[i + 1]) : 0);
}

static void round_values(float *y, const float *x, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) y[i] = number_of(rounded(x[i]));
}

#define PAIR_TABLE plain
#define LOOKS_AHEAD 0
#define TILE_ROWS 4
#define NARROW_TILE_ROWS 6
#include "pairs.template.c"
