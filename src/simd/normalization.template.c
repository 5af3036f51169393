/* Normalization over columns (a batch's statistics) and over rows (a sample's). Floor 0. Sums are in double, what is
   applied to an element in REAL. No order depends on the width of a vector and nothing is fused, so that every
   instruction set gives the same bits; loops over columns have a fixed length, from which the compiler makes vectors.
 */
#ifndef REAL
#error "to be included by kernels_of_real.template.c, for one REAL"
#endif

enum {
    NAMED(COLUMNS) = 16, /* at once: their sums stay in registers */
    NAMED(SUMS) = 8,     /* of a row, which do not wait for each other: element c goes into sum c % SUMS */
};

/* At most COLUMNS columns; a constant number of them wherever time counts. */
INLINE void NAMED(moments_of)(double *mean, double *variance, const REAL *x, ptrdiff_t n_rows, const ptrdiff_t n_cols,
                              ptrdiff_t x_row) {
    double sum[NAMED(COLUMNS)] = {0}, squares[NAMED(COLUMNS)] = {0};
    for (ptrdiff_t r = 0; r < n_rows; r++)
        for (ptrdiff_t c = 0; c < n_cols; c++) sum[c] += (double)x[r * x_row + c];
    for (ptrdiff_t c = 0; c < n_cols; c++) sum[c] /= (double)n_rows;
    for (ptrdiff_t r = 0; r < n_rows; r++)
        for (ptrdiff_t c = 0; c < n_cols; c++) {
            const double centred = (double)x[r * x_row + c] - sum[c];
            squares[c] += centred * centred;
        }
    for (ptrdiff_t c = 0; c < n_cols; c++) {
        mean[c] = sum[c];
        variance[c] = squares[c] / (double)n_rows;
    }
}

static void NAMED(column_moments)(double *mean, double *variance, const REAL *x, ptrdiff_t n_rows, ptrdiff_t n_cols,
                                  ptrdiff_t x_row) {
    ptrdiff_t c = 0;
    for (; c + NAMED(COLUMNS) <= n_cols; c += NAMED(COLUMNS))
        NAMED(moments_of)(mean + c, variance + c, x + c, n_rows, NAMED(COLUMNS), x_row);
    if (c < n_cols) NAMED(moments_of)(mean + c, variance + c, x + c, n_rows, n_cols - c, x_row);
}

INLINE void NAMED(products_of)(double *total, double *product, const REAL *dy, const REAL *x, const double *mean,
                               ptrdiff_t n_rows, const ptrdiff_t n_cols, ptrdiff_t dy_row, ptrdiff_t x_row) {
    double sum[NAMED(COLUMNS)] = {0}, products[NAMED(COLUMNS)] = {0}, centre[NAMED(COLUMNS)] = {0};
    for (ptrdiff_t c = 0; c < n_cols; c++) centre[c] = mean[c];
    for (ptrdiff_t r = 0; r < n_rows; r++)
        for (ptrdiff_t c = 0; c < n_cols; c++) {
            const double d = (double)dy[r * dy_row + c];
            sum[c] += d;
            products[c] += d * ((double)x[r * x_row + c] - centre[c]);
        }
    for (ptrdiff_t c = 0; c < n_cols; c++) {
        total[c] = sum[c];
        product[c] = products[c];
    }
}

static void NAMED(column_products)(double *total, double *product, const REAL *dy, const REAL *x, const double *mean,
                                   ptrdiff_t n_rows, ptrdiff_t n_cols, ptrdiff_t dy_row, ptrdiff_t x_row) {
    ptrdiff_t c = 0;
    for (; c + NAMED(COLUMNS) <= n_cols; c += NAMED(COLUMNS))
        NAMED(products_of)(total + c, product + c, dy + c, x + c, mean + c, n_rows, NAMED(COLUMNS), dy_row, x_row);
    if (c < n_cols)
        NAMED(products_of)(total + c, product + c, dy + c, x + c, mean + c, n_rows, n_cols - c, dy_row, x_row);
}

static void NAMED(normalize_columns)(REAL *restrict y, const REAL *restrict x, const REAL *restrict centre,
                                     const REAL *restrict factor, const REAL *restrict offset, ptrdiff_t n_rows,
                                     ptrdiff_t n_cols, ptrdiff_t y_row, ptrdiff_t x_row) {
    for (ptrdiff_t r = 0; r < n_rows; r++)
        for (ptrdiff_t c = 0; c < n_cols; c++)
            y[r * y_row + c] = (x[r * x_row + c] - centre[c]) * factor[c] + offset[c];
}

static void NAMED(differentiate_columns)(REAL *restrict dx, const REAL *restrict dy, const REAL *restrict x,
                                         const REAL *restrict centre, const REAL *restrict factor,
                                         const REAL *restrict slope, const REAL *restrict offset, ptrdiff_t n_rows,
                                         ptrdiff_t n_cols, ptrdiff_t x_row, ptrdiff_t dy_row, int accumulate) {
    for (ptrdiff_t r = 0; r < n_rows; r++)
        for (ptrdiff_t c = 0; c < n_cols; c++) {
            const REAL d = dy[r * dy_row + c] * factor[c] + ((x[r * x_row + c] - centre[c]) * slope[c] + offset[c]);
            dx[r * x_row + c] = accumulate ? dx[r * x_row + c] + d : d;
        }
}

/* Some elements of a row as doubles. */
typedef REAL NAMED(few) __attribute__((vector_size(LANES_f64 * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));
INLINE vector_f64 NAMED(load_wide)(const REAL *p) {
    return __builtin_convertvector(*(const NAMED(few) *)p, vector_f64);
}

/* The sums of a row stand in vectors first; the elements that fill no more vectors are added to them one by one. */
enum { NAMED(SUM_VECTORS) = NAMED(SUMS) / LANES_f64 };
_Static_assert(NAMED(SUMS) % LANES_f64 == 0, "the sums of a row are whole vectors");
INLINE void NAMED(take_apart)(double *t, const vector_f64 *vectors) {
    for (int i = 0; i < NAMED(SUM_VECTORS); i++) store_f64(t + i * LANES_f64, vectors[i]);
}
INLINE double NAMED(total_of)(const double *t) {
    return ((t[0] + t[4]) + (t[2] + t[6])) + ((t[1] + t[5]) + (t[3] + t[7]));
}

static double NAMED(row_sum)(const REAL *x, ptrdiff_t n) {
    vector_f64 vectors[NAMED(SUM_VECTORS)] = {0};
    double sums[NAMED(SUMS)];
    ptrdiff_t c = 0;
    for (; c + NAMED(SUMS) <= n; c += NAMED(SUMS))
        for (int i = 0; i < NAMED(SUM_VECTORS); i++) vectors[i] += NAMED(load_wide)(x + c + i * LANES_f64);
    NAMED(take_apart)(sums, vectors);
    for (int i = 0; c + i < n; i++) sums[i] += (double)x[c + i];
    return NAMED(total_of)(sums);
}

static double NAMED(centred_squares)(const REAL *x, ptrdiff_t n, double mean) {
    vector_f64 vectors[NAMED(SUM_VECTORS)] = {0};
    double sums[NAMED(SUMS)];
    ptrdiff_t c = 0;
    for (; c + NAMED(SUMS) <= n; c += NAMED(SUMS))
        for (int i = 0; i < NAMED(SUM_VECTORS); i++) {
            const vector_f64 centred = NAMED(load_wide)(x + c + i * LANES_f64) - mean;
            vectors[i] += centred * centred;
        }
    NAMED(take_apart)(sums, vectors);
    for (int i = 0; c + i < n; i++) sums[i] += ((double)x[c + i] - mean) * ((double)x[c + i] - mean);
    return NAMED(total_of)(sums);
}

static void NAMED(normalize_row)(REAL *restrict y, const REAL *restrict x, const REAL *restrict gamma,
                                 const REAL *restrict beta, ptrdiff_t n, double mean, double inverse) {
    const REAL centre = (REAL)mean, rest = (REAL)(mean - (double)centre), factor = (REAL)inverse;
    for (ptrdiff_t c = 0; c < n; c++) {
        const REAL normal = (x[c] - centre - rest) * factor;
        y[c] = (gamma ? normal * gamma[c] : normal) + (beta ? beta[c] : 0);
    }
}

/* `scaled` is a constant of the caller. */
INLINE void NAMED(products_of_row)(double *total, double *product, const REAL *dy, const REAL *x, const REAL *gamma,
                                   ptrdiff_t n, double mean, const int scaled) {
    vector_f64 total_vectors[NAMED(SUM_VECTORS)] = {0}, product_vectors[NAMED(SUM_VECTORS)] = {0};
    double totals[NAMED(SUMS)], products[NAMED(SUMS)];
    ptrdiff_t c = 0;
    for (; c + NAMED(SUMS) <= n; c += NAMED(SUMS))
        for (int i = 0; i < NAMED(SUM_VECTORS); i++) {
            const ptrdiff_t at = c + i * LANES_f64;
            vector_f64 g = NAMED(load_wide)(dy + at);
            if (scaled) g *= NAMED(load_wide)(gamma + at);
            total_vectors[i] += g;
            product_vectors[i] += g * (NAMED(load_wide)(x + at) - mean);
        }
    NAMED(take_apart)(totals, total_vectors);
    NAMED(take_apart)(products, product_vectors);
    for (int i = 0; c + i < n; i++) {
        const double g = scaled ? (double)dy[c + i] * (double)gamma[c + i] : (double)dy[c + i];
        totals[i] += g;
        products[i] += g * ((double)x[c + i] - mean);
    }
    *total = NAMED(total_of)(totals);
    *product = NAMED(total_of)(products);
}

static void NAMED(row_products)(double *total, double *product, const REAL *dy, const REAL *x, const REAL *gamma,
                                ptrdiff_t n, double mean) {
    if (gamma)
        NAMED(products_of_row)(total, product, dy, x, gamma, n, mean, 1);
    else
        NAMED(products_of_row)(total, product, dy, x, gamma, n, mean, 0);
}

static void NAMED(add_row_gradients)(double *restrict d_gamma, double *restrict d_beta, const REAL *restrict dy,
                                     const REAL *restrict x, ptrdiff_t n, double mean, double inverse) {
    for (ptrdiff_t c = 0; c < n; c++) {
        d_gamma[c] += (double)dy[c] * (((double)x[c] - mean) * inverse);
        d_beta[c] += (double)dy[c];
    }
}

static void NAMED(differentiate_row)(REAL *restrict dx, const REAL *restrict dy, const REAL *restrict x,
                                     const REAL *restrict gamma, ptrdiff_t n, double mean, double inverse, double slope,
                                     double offset, int accumulate) {
    const REAL centre = (REAL)mean, rest = (REAL)(mean - (double)centre), factor = (REAL)inverse;
    const REAL a = (REAL)slope, b = (REAL)offset;
    for (ptrdiff_t c = 0; c < n; c++) {
        const REAL g = gamma ? dy[c] * gamma[c] : dy[c];
        const REAL d = g * factor + ((x[c] - centre - rest) * a + b);
        dx[c] = accumulate ? dx[c] + d : d;
    }
}
