/* What the portable instruction set does without intrinsics, for one REAL; included twice by portable.h. Floor 0. */
#ifndef REAL
#error "to be included by portable.h, for one REAL"
#endif

enum { TRANSPOSE_WIDTH = LANES };

INLINE vector multiply_add(vector a, vector b, vector c) { return a * b + c; }
INLINE vector select(mask m, vector yes, vector no) { return (vector)((m & (integers)yes) | (~m & (integers)no)); }
INLINE vector at_least(vector v, vector bound) { return select(greater(bound, v), bound, v); }
INLINE vector at_most(vector v, vector bound) { return select(greater(v, bound), bound, v); }

INLINE void transpose_block(REAL *out, ptrdiff_t out_row, const REAL *in, ptrdiff_t in_row) {
    for (int i = 0; i < TRANSPOSE_WIDTH; i++)
        for (int j = 0; j < TRANSPOSE_WIDTH; j++) out[i * out_row + j] = in[j * in_row + i];
}
