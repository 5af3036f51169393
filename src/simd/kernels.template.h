/* What one instruction set offers for one element type REAL; included twice by kernels.h. Floor 0.
   Every kernel gives the same bits for an element (of NaN, only that it is one) whatever the other elements of the call
   are, wherever it stands in the array: vector body and tail use the same operations. Outputs come first. */
#ifndef REAL
#error "to be included by kernels.h, for one REAL"
#endif

typedef struct {
    const char *instruction_set;
    ptrdiff_t panel_width; /* columns of a full panel */

    /* Matrix product, a panel of at most panel_width columns and any number of rows:
         s[r,c] = sum_k x[r*x_row + k*x_k] * w[k*w_k + c], k ascending, one fused multiply-add chain from 0
         y[r*y_row + c] = max(s[r,c] + (accumulate ? y[r*y_row + c] : bias ? bias[c] : 0), clamp ? 0 : -INFINITY)
                                                                                                   (NaN stays NaN)
         and where gate is given:  y[r,c] = gate[r*gate_row + c] > 0 ? y[r,c] : 0
       Reads columns c < n_cols only, and writes no others but the next spare_cols of y, which may be set to
       anything: whole vectors are stored faster. Where `ahead` is given, that block and the rows of y below each tile
       may be prefetched meanwhile. Where packed is given, and n_rows is 16 at least, the panel is left there on the
       way: packed[k*panel_width + c] = w[k*w_k + c] for c < n_cols; what is left of its last vector, and perhaps of its
       row, is undefined. */
    void (*panel_product)(REAL *y, const REAL *x, const REAL *w, REAL *packed, const REAL *bias, const REAL *gate,
                          const panel_settings *p);

    /* The same for one row of x and any number of columns, w in place: y[c] = sum_k x[k] * w[k*w_k + c] + ... ;
       bit for bit what panel_product gives, with floor = 0 or -INFINITY. */
    void (*row_product)(REAL *y, const REAL *x, const REAL *w, const REAL *bias, ptrdiff_t n_cols, ptrdiff_t n_k,
                        ptrdiff_t w_k, int accumulate, REAL floor);

    /* The same for two or three rows of x, whose k are contiguous, and two whole panels, the second of which begins
       `next` elements behind the first; no gate. Bit for bit what panel_product gives. */
    void (*two_panels_product)(REAL *y, const REAL *x, const REAL *w, ptrdiff_t next, const REAL *bias,
                               const panel_settings *p);

    /* The same for one column, x and w contiguous along k; no gate. Each lane adds up every so many-th product, k
       ascending, and then the lanes are added up: the bits are others than those of panel_product. */
    void (*column_product)(REAL *y, const REAL *x, const REAL *w, const REAL *bias, const panel_settings *p);

    /* y[r*y_row + k] = -sum_i factors[i] |x[r*x_row + i] - c[i*n_centers + k]|, i ascending, one fused chain from 0 */
    void (*nearness)(REAL *y, const REAL *x, const REAL *c, const REAL *factors, ptrdiff_t n_rows, ptrdiff_t n_features,
                     ptrdiff_t n_centers, ptrdiff_t y_row, ptrdiff_t x_row);

    /* packed[k*panel_width + c] = w[c*w_c + k] for c < n_cols, the rest left alone: packs a panel of the transpose. */
    void (*pack_transposed)(REAL *packed, const REAL *w, ptrdiff_t n_k, ptrdiff_t n_cols, ptrdiff_t w_c);

    /* y[i*y_row + c] = x[s*x_row + c] for c < n_cols, with s = order[i], or i where order is NULL; what y_row leaves
       beyond n_cols, of every row, may be set to anything. The order goes on for n_coming entries, whose rows are
       likely to be wanted next. */
    void (*gather)(REAL *y, const REAL *x, const int64_t *order, ptrdiff_t n_rows, ptrdiff_t n_coming, ptrdiff_t n_cols,
                   ptrdiff_t y_row, ptrdiff_t x_row);

    /* y[c*y_row + r] = x[r*x_row + c] for r < n_rows, c < n_cols. */
    void (*transpose)(REAL *y, const REAL *x, ptrdiff_t n_rows, ptrdiff_t n_cols, ptrdiff_t y_row, ptrdiff_t x_row);

    /* y[c] = (accumulate ? y[c] : 0) + sum_r x[r*x_row + c], r ascending. */
    void (*column_sums)(REAL *y, const REAL *x, ptrdiff_t n_rows, ptrdiff_t n_cols, ptrdiff_t x_row, int accumulate);

    /* y[i] = f(x[i]); y may be x. */
    void (*exp)(REAL *y, const REAL *x, ptrdiff_t n);
    void (*log)(REAL *y, const REAL *x, ptrdiff_t n);
    /* c[i] = cos(2 pi turns[i]), s[i] = sin(2 pi turns[i]); c or s may be turns. */
    void (*cosine_sine)(REAL *c, REAL *s, const REAL *turns, ptrdiff_t n);

    /* a[i] = g(z[i]); a may be z. p: three parameters, see kinds.h. */
    void (*activation_forward)(REAL *a, const REAL *z, ptrdiff_t n, int kind, const REAL *p);
    /* delta[i] = da[i] * g'(z[i]); delta may be da. Reads z only for the kinds of activation_slope_needs_z, a only
       for the others; what is not read may be NULL. relu alone takes z where it is given: from a its derivative is
       right for p0 >= 0 and p2 >= 0 only. elu likewise holds for p0 >= 0 only. */
    void (*activation_backward)(REAL *delta, const REAL *da, const REAL *z, const REAL *a, ptrdiff_t n, int kind,
                                const REAL *p);

    /* y[i] = f(a[i], b[i], c[i]), f one of the functions of kinds.h; what it has no use for may be NULL. y may be a. */
    void (*function_forward)(REAL *y, const REAL *a, const REAL *b, const REAL *c, ptrdiff_t n, int function);
    /* d[i] = dy[i] df/da, with respect to b where which = 1, to c where it is 2; of a function that is not flat. */
    void (*function_backward)(REAL *d, const REAL *dy, const REAL *y, const REAL *a, const REAL *b, const REAL *c,
                              ptrdiff_t n, int function, int which);

    /* a[r,c] = exp(z[r,c]) / sum_c exp(z[r,c]), shifted by the row's maximum; log_sum[r] = log sum_c exp(z[r,c]), if
       given. a may be z (then a_row = z_row). Reads what z_row leaves beyond n_cols, of
       every row, and ignores it; may set what a_row leaves to anything. */
    void (*softmax)(REAL *a, REAL *log_sum, const REAL *z, ptrdiff_t n_rows, ptrdiff_t n_cols, ptrdiff_t a_row,
                    ptrdiff_t z_row);

    /* One step of a rule (rules.h) over n parameters w with gradients g, and as many vectors of state as rule_slots
       says. The formulas stand with the rules in optimizers.template.c. A rule of tensors leaves its direction in g. */
    void (*optimizer_step)(REAL *w, REAL *const *slots, REAL *g, ptrdiff_t n, int rule, const hyperparameters *h,
                           const step_scalars *s);

    /* y[i] += scale * x[i];  y[i] = scale * x[i], y may be x;  sum_i x[i]^2 in a fixed order, accumulated in double. */
    void (*add_scaled)(REAL *y, const REAL *x, ptrdiff_t n, REAL scale);
    void (*scale)(REAL *y, const REAL *x, ptrdiff_t n, REAL scale);
    double (*sum_of_squares)(const REAL *x, ptrdiff_t n);
    /* 1 if no x[i] is NaN or infinite, else 0. */
    int (*all_finite)(const REAL *x, ptrdiff_t n);

    /* Normalization over columns. mean[c] = sum_r x[r,c] / n_rows;  variance[c] = sum_r (x[r,c] - mean[c])^2 / n_rows
     */
    void (*column_moments)(double *mean, double *variance, const REAL *x, ptrdiff_t n_rows, ptrdiff_t n_cols,
                           ptrdiff_t x_row);
    /* total[c] = sum_r dy[r,c];  product[c] = sum_r dy[r,c] (x[r,c] - mean[c]) */
    void (*column_products)(double *total, double *product, const REAL *dy, const REAL *x, const double *mean,
                            ptrdiff_t n_rows, ptrdiff_t n_cols, ptrdiff_t dy_row, ptrdiff_t x_row);
    /* y[r,c] = (x[r,c] - centre[c]) factor[c] + offset[c] */
    void (*normalize_columns)(REAL *y, const REAL *x, const REAL *centre, const REAL *factor, const REAL *offset,
                              ptrdiff_t n_rows, ptrdiff_t n_cols, ptrdiff_t y_row, ptrdiff_t x_row);
    /* dx[r,c] (+)= dy[r,c] factor[c] + (x[r,c] - centre[c]) slope[c] + offset[c]; rows of dx and x are x_row apart. */
    void (*differentiate_columns)(REAL *dx, const REAL *dy, const REAL *x, const REAL *centre, const REAL *factor,
                                  const REAL *slope, const REAL *offset, ptrdiff_t n_rows, ptrdiff_t n_cols,
                                  ptrdiff_t x_row, ptrdiff_t dy_row, int accumulate);

    /* Normalization of one row; gamma and beta may be NULL.  sum_c x[c];  sum_c (x[c] - mean)^2 */
    double (*row_sum)(const REAL *x, ptrdiff_t n);
    double (*centred_squares)(const REAL *x, ptrdiff_t n, double mean);
    /* y[c] = (x[c] - mean) inverse gamma[c] + beta[c] */
    void (*normalize_row)(REAL *y, const REAL *x, const REAL *gamma, const REAL *beta, ptrdiff_t n, double mean,
                          double inverse);
    /* total = sum_c dy[c] gamma[c];  product = sum_c dy[c] gamma[c] (x[c] - mean) */
    void (*row_products)(double *total, double *product, const REAL *dy, const REAL *x, const REAL *gamma, ptrdiff_t n,
                         double mean);
    /* d_gamma[c] += dy[c] (x[c] - mean) inverse;  d_beta[c] += dy[c] */
    void (*add_row_gradients)(double *d_gamma, double *d_beta, const REAL *dy, const REAL *x, ptrdiff_t n, double mean,
                              double inverse);
    /* dx[c] (+)= dy[c] gamma[c] inverse + (x[c] - mean) slope + offset */
    void (*differentiate_row)(REAL *dx, const REAL *dy, const REAL *x, const REAL *gamma, ptrdiff_t n, double mean,
                              double inverse, double slope, double offset, int accumulate);

    /* words[g][k * 16 + b] = word k of block (first_group + g) * 16 + b of Philox's stream (random.h): word by word
       rather than block by block, as vectors leave them. */
    void (*philox_groups)(uint32_t *words, uint64_t first_group, ptrdiff_t n_groups, uint64_t stream, uint64_t key);
} NAMED(kernels);
