/* Products of whole numbers of 8 bits, four of them in 32 bits: a quad, in the order of k in memory. A matrix of quads
   along k looks like one of floats with a quarter as many k, and is multiplied by the same tiles; the sums, of 32 bits,
   stand where floats will. They are exact, and so the same on every instruction set. Floor 0. */
#ifndef CNN_CORE_QUADS_H
#define CNN_CORE_QUADS_H

#include <stddef.h>
#include <stdint.h>

#include "kernels.h"

/* Numbers are -127 to 127; some instructions want those of x from 1 to 255, 128 more. A sum over as many k as this
   cannot overflow. */
enum { MOST_QUANTIZED = 1 << 16 };

enum { ANY_WIDTH = 0 }; /* up to LARGEST_PANEL */

typedef struct {
    const char *instruction_set;
    ptrdiff_t panel_width; /* as that of the kernels of floats beside which it runs, or ANY_WIDTH */
    int32_t x_offset;      /* what is added to the numbers of x, and has to come off their sums: 128 or 0 */

    /* As panel_product and row_product of kernels.template.h, without gate; x and w quads, y and bias sums. */
    void (*panel_product)(int32_t *y, const int32_t *x, const int32_t *w, int32_t *packed, const int32_t *bias,
                          const int32_t *gate, const panel_settings *p);
    void (*row_product)(int32_t *y, const int32_t *x, const int32_t *w, const int32_t *bias, ptrdiff_t n_cols,
                        ptrdiff_t n_k, ptrdiff_t w_k, int accumulate, int32_t floor);

    /* Row x in quads: number[i] = round(x[i] * factors[i] / unit), ties to even, with the unit by which the largest is
       127; returned. The last quad is filled up with zeros. A row with NaN or an infinity has a unit of NaN. */
    float (*quantize)(int32_t *quads, const float *x, const float *factors, ptrdiff_t n);

    /* y[c] = max((sum - x_offset * w_sums[c]) * (x_unit * w_units[c]) + bias[c], floor), where the sum, of 32 bits,
       stands in the place of y[c]; NaN stays NaN. */
    void (*restore)(float *y, const int32_t *w_sums, const float *w_units, const float *bias, float x_unit, float floor,
                    ptrdiff_t n);
} quad_kernels;

/* The table in use; valid after simd_select, which chooses the best one. */
extern const quad_kernels *simd_quads;

/* Chooses by name a table that runs beside the instruction set in use. Returns the name, or NULL if it is unknown or
   cannot run here. */
const char *simd_select_quads(const char *wanted);

/* To be called before the first product of quads, for the reason that simd_prepare_pairs has. */
void simd_prepare_quads(void);

/* Writes up to `capacity` names of tables that can run beside the instruction set in use; returns how many. */
int simd_available_quads(const char **names, int capacity);

#endif
