/* Products of numbers rounded to bfloat16, two of them in 32 bits: a pair, the one with the lower index in the low
   half. A matrix of pairs along k looks like one of floats with half as many k, and is multiplied by the same tiles.
   Floor 0. */
#ifndef CNN_CORE_PAIRS_H
#define CNN_CORE_PAIRS_H

#include <stddef.h>
#include <stdint.h>

#include "kernels.h"

/* Rounding is to nearest, ties to even; a denormal counts as zero of its sign; a NaN stays one. */
typedef struct {
    const char *instruction_set;

    /* As panel_product and row_product of kernels.template.h, x and w pairs: a step of the sum adds the product of the
       odd elements to a float, and then that of the even ones. */
    void (*panel_product)(float *y, const float *x, const float *w, float *packed, const float *bias, const float *gate,
                          const panel_settings *p);
    void (*row_product)(float *y, const float *x, const float *w, const float *bias, ptrdiff_t n_cols, ptrdiff_t n_k,
                        ptrdiff_t w_k, int accumulate, float floor);

    /* panel[k,c] = number k of the pairs in column c, for k < n_k, with zeros up to a panel's width; NULL where
       products are of pairs themselves. Where they are of numbers widened from pairs they have the bits of products of
       rounded floats, and are worth using for few rows: reading w takes longest then. */
    void (*widen_panel)(float *panel, const uint32_t *pairs, ptrdiff_t n_k, ptrdiff_t n_cols, ptrdiff_t pairs_row);

    /* Up to how many rows are best computed one by one, each with more columns at a time than a tile has. */
    ptrdiff_t most_single_rows;

    /* Whether products load whole rows of x, and take long where x_k is not 1. */
    int reads_rows;

    /* pairs[i] = (even[i], odd[i]), or (even[i], 0) where odd is NULL. */
    void (*interleave)(uint32_t *pairs, const float *even, const float *odd, ptrdiff_t n);
    /* pairs[i] = (x[2i], x[2i+1]), the last one filled up with 0. */
    void (*pair_up)(uint32_t *pairs, const float *x, ptrdiff_t n);
    /* y[i] = x[i] rounded; y may be x. */
    void (*round_values)(float *y, const float *x, ptrdiff_t n);
} pair_kernels;

/* The table in use, and whether its products are worth using for any number of rows, so not if it widens; valid after
   simd_select, which chooses the best one. */
extern const pair_kernels *simd_pairs;
extern int simd_multiplies_pairs;

/* Chooses by name a table that runs beside the instruction set in use, or the one that widens (NULL). Returns the name
   of the table in use, or NULL if `wanted` is unknown or cannot run here. */
const char *simd_select_pairs(const char *wanted);

/* To be called before the first product of pairs. AMX needs the system's permission, which changes what a signal's
   stack has to hold: a process that never computes in bfloat16 does not ask for it. */
void simd_prepare_pairs(void);

/* Writes up to `capacity` names of tables that can run beside the instruction set in use; returns how many. */
int simd_available_pairs(const char **names, int capacity);

#endif
