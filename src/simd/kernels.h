/* The table of kernels that floor 1 calls: one filled table per element type and instruction set. Floor 0.
   Kernels never allocate, never raise, never start a thread. Strides and sizes count elements.
   `dispatch.c` chooses the instruction set once, at import. */
#ifndef CNN_CORE_KERNELS_H
#define CNN_CORE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "kinds.h"
#include "rules.h"

enum { LARGEST_PANEL = 32 }; /* columns of a panel of the matrix product on any instruction set */

/* Memory that will be wanted soon: n_rows rows of n_bytes bytes each, stride bytes apart. */
typedef struct {
    const char *row;
    ptrdiff_t n_rows, n_bytes, stride;
} block_ahead;

/* What panel_product is told besides its operands: sizes, strides and what becomes of y. */
typedef struct {
    ptrdiff_t n_rows, n_cols, n_k, y_row, x_row, x_k, w_k, gate_row;
    ptrdiff_t spare_cols;     /* of y beyond n_cols: they may be overwritten */
    int accumulate;           /* whether y is added to */
    int clamp;                /* whether y becomes max(y, 0) */
    const block_ahead *ahead; /* what may be prefetched meanwhile; NULL: nothing */
} panel_settings;

#define REAL float
#define NAMED(name) name##_f32
#include "kernels.template.h"
#undef REAL
#undef NAMED
#define REAL double
#define NAMED(name) name##_f64
#include "kernels.template.h"
#undef REAL
#undef NAMED

/* The tables in use; valid after simd_select. */
extern const kernels_f32 *simd_f32;
extern const kernels_f64 *simd_f64;

/* Chooses the best instruction set that the CPU and the operating system support, or the one named
   (NULL: the best). Returns its name, or NULL if `wanted` is unknown or cannot run here. */
const char *simd_select(const char *wanted);

/* Writes up to `capacity` names of instruction sets that can run here, best first; returns how many. */
int simd_available(const char **names, int capacity);

#endif
