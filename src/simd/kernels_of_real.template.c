/* The kernels of one instruction set for one REAL, from the bottom up, and the table that names them. Floor 0. */
#ifndef REAL
#error "to be included by kernels.template.c, for one REAL"
#endif

#include "access.template.c"
#include "tile.template.c"
#include "few_rows.template.c"
#include "column.template.c"
#include "nearness.template.c"
#include "packing.template.c"
#include "reductions.template.c"
#include "sweeps.template.c"
#include "math.template.c"
#include "activations.template.c"
#include "functions.template.c"
#include "softmax.template.c"
#include "optimizers.template.c"
#include "normalization.template.c"
#include "table.template.c"
