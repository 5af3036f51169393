/* bfloat16 in plain C: the high half of a float. The including file has included vectors.h. Floor 0.
   Rounding is to nearest, ties to even; a denormal counts as zero of its sign, a NaN stays one. */
#ifndef CNN_CORE_BFLOAT16_H
#define CNN_CORE_BFLOAT16_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

static const uint32_t EXPONENT = 0x7f800000, HIGH_HALF = 0xffff0000;

INLINE uint32_t bits_of(float x) {
    union {
        float number;
        uint32_t bits;
    } both = {.number = x};
    return both.bits;
}

INLINE float number_of(uint32_t bits) {
    union {
        uint32_t bits;
        float number;
    } both = {.bits = bits};
    return both.number;
}

/* x rounded, in the high half of 32 bits; without a branch, for compilers to make vectors of. */
INLINE uint32_t rounded(float x) {
    const uint32_t bits = bits_of(x), quiet = 0x00400000, sign = 0x80000000;
    const uint32_t nearest = bits + 0x7fff + (bits >> 16 & 1);
    const uint32_t number = (bits & ~sign) > EXPONENT ? bits | quiet : nearest;
    return ((bits & EXPONENT) == 0 ? bits & sign : number) & HIGH_HALF;
}

INLINE float without_denormals(float x) {
    return (bits_of(x) & EXPONENT) == 0 ? number_of(bits_of(x) & 0x80000000) : x;
}

/* x y + sum in one rounding; what is denormal, before and after, counts as zero. */
INLINE float add_product(float x, float y, float sum) {
    return without_denormals(fmaf(without_denormals(x), without_denormals(y), without_denormals(sum)));
}

INLINE float even_of(float pair) { return number_of(bits_of(pair) << 16); }
INLINE float odd_of(float pair) { return number_of(bits_of(pair) & HIGH_HALF); }

static void interleave(uint32_t *pairs, const float *even, const float *odd, ptrdiff_t n) {
    if (odd)
        for (ptrdiff_t i = 0; i < n; i++) pairs[i] = rounded(even[i]) >> 16 | rounded(odd[i]);
    else
        for (ptrdiff_t i = 0; i < n; i++) pairs[i] = rounded(even[i]) >> 16;
}

static void pair_up(uint32_t *pairs, const float *x, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n / 2; i++) pairs[i] = rounded(x[2 * i]) >> 16 | rounded(x[2 * i + 1]);
    if (n % 2 != 0) pairs[n / 2] = rounded(x[n - 1]) >> 16;
}

static void round_values(float *y, const float *x, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) y[i] = number_of(rounded(x[i]));
}

#endif
