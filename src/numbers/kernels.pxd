# The table of kernels of src/simd as fused functions: the fork between float and double has its one home here.
# Floor 1. Written by tests/native/test_kernels.py from src/simd/kernels.template.h, where formulas and contracts stand.
# An argument `typed`, here and elsewhere, is there for its type alone, float or double.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from rules cimport hyperparameters, step_scalars

ctypedef fused real:
    float
    double

cdef extern from "simd/kernels.h" nogil:
    enum:
        LARGEST_PANEL
    ctypedef struct block_ahead:
        const char *row
        Py_ssize_t n_rows, n_bytes, stride
    ctypedef struct panel_settings:
        Py_ssize_t n_rows, n_cols, n_k, y_row, x_row, x_k, w_k, gate_row, spare_cols
        int accumulate, clamp
        const block_ahead *ahead

    ctypedef struct kernels_f32:
        const char *instruction_set
        Py_ssize_t panel_width
        void (*panel_product)(float *y, const float *x, const float *w, float *packed, const float *bias,
                              const float *gate, const panel_settings *p) noexcept nogil
        void (*row_product)(float *y, const float *x, const float *w, const float *bias, Py_ssize_t n_cols,
                            Py_ssize_t n_k, Py_ssize_t w_k, int accumulate, float floor) noexcept nogil
        void (*two_panels_product)(float *y, const float *x, const float *w, Py_ssize_t next, const float *bias,
                                   const panel_settings *p) noexcept nogil
        void (*column_product)(float *y, const float *x, const float *w, const float *bias,
                               const panel_settings *p) noexcept nogil
        void (*nearness)(float *y, const float *x, const float *c, const float *factors, Py_ssize_t n_rows,
                         Py_ssize_t n_features, Py_ssize_t n_centers, Py_ssize_t y_row, Py_ssize_t x_row) noexcept nogil
        void (*pack_transposed)(float *packed, const float *w, Py_ssize_t n_k, Py_ssize_t n_cols,
                                Py_ssize_t w_c) noexcept nogil
        void (*gather)(float *y, const float *x, const int64_t *order, Py_ssize_t n_rows, Py_ssize_t n_coming,
                       Py_ssize_t n_cols, Py_ssize_t y_row, Py_ssize_t x_row) noexcept nogil
        void (*transpose)(float *y, const float *x, Py_ssize_t n_rows, Py_ssize_t n_cols, Py_ssize_t y_row,
                          Py_ssize_t x_row) noexcept nogil
        void (*column_sums)(float *y, const float *x, Py_ssize_t n_rows, Py_ssize_t n_cols, Py_ssize_t x_row,
                            int accumulate) noexcept nogil
        void (*exp)(float *y, const float *x, Py_ssize_t n) noexcept nogil
        void (*log)(float *y, const float *x, Py_ssize_t n) noexcept nogil
        void (*cosine_sine)(float *c, float *s, const float *turns, Py_ssize_t n) noexcept nogil
        void (*activation_forward)(float *a, const float *z, Py_ssize_t n, int kind, const float *p) noexcept nogil
        void (*activation_backward)(float *delta, const float *da, const float *z, const float *a, Py_ssize_t n,
                                    int kind, const float *p) noexcept nogil
        void (*function_forward)(float *y, const float *a, const float *b, const float *c, Py_ssize_t n,
                                 int function) noexcept nogil
        void (*function_backward)(float *d, const float *dy, const float *y, const float *a, const float *b,
                                  const float *c, Py_ssize_t n, int function, int which) noexcept nogil
        void (*softmax)(float *a, float *log_sum, const float *z, Py_ssize_t n_rows, Py_ssize_t n_cols,
                        Py_ssize_t a_row, Py_ssize_t z_row) noexcept nogil
        void (*optimizer_step)(float *w, float **slots, float *g, Py_ssize_t n, int rule, const hyperparameters *h,
                               const step_scalars *s) noexcept nogil
        void (*add_scaled)(float *y, const float *x, Py_ssize_t n, float scale) noexcept nogil
        void (*scale)(float *y, const float *x, Py_ssize_t n, float scale) noexcept nogil
        double (*sum_of_squares)(const float *x, Py_ssize_t n) noexcept nogil
        int (*all_finite)(const float *x, Py_ssize_t n) noexcept nogil
        void (*column_moments)(double *mean, double *variance, const float *x, Py_ssize_t n_rows, Py_ssize_t n_cols,
                               Py_ssize_t x_row) noexcept nogil
        void (*column_products)(double *total, double *product, const float *dy, const float *x, const double *mean,
                                Py_ssize_t n_rows, Py_ssize_t n_cols, Py_ssize_t dy_row,
                                Py_ssize_t x_row) noexcept nogil
        void (*normalize_columns)(float *y, const float *x, const float *centre, const float *factor,
                                  const float *offset, Py_ssize_t n_rows, Py_ssize_t n_cols, Py_ssize_t y_row,
                                  Py_ssize_t x_row) noexcept nogil
        void (*differentiate_columns)(float *dx, const float *dy, const float *x, const float *centre,
                                      const float *factor, const float *slope, const float *offset, Py_ssize_t n_rows,
                                      Py_ssize_t n_cols, Py_ssize_t x_row, Py_ssize_t dy_row,
                                      int accumulate) noexcept nogil
        double (*row_sum)(const float *x, Py_ssize_t n) noexcept nogil
        double (*centred_squares)(const float *x, Py_ssize_t n, double mean) noexcept nogil
        void (*normalize_row)(float *y, const float *x, const float *gamma, const float *beta, Py_ssize_t n,
                              double mean, double inverse) noexcept nogil
        void (*row_products)(double *total, double *product, const float *dy, const float *x, const float *gamma,
                             Py_ssize_t n, double mean) noexcept nogil
        void (*add_row_gradients)(double *d_gamma, double *d_beta, const float *dy, const float *x, Py_ssize_t n,
                                  double mean, double inverse) noexcept nogil
        void (*differentiate_row)(float *dx, const float *dy, const float *x, const float *gamma, Py_ssize_t n,
                                  double mean, double inverse, double slope, double offset,
                                  int accumulate) noexcept nogil
        void (*philox_groups)(uint32_t *words, uint64_t first_group, Py_ssize_t n_groups, uint64_t stream,
                              uint64_t key) noexcept nogil

    ctypedef struct kernels_f64:
        const char *instruction_set
        Py_ssize_t panel_width
        void (*panel_product)(double *y, const double *x, const double *w, double *packed, const double *bias,
                              const double *gate, const panel_settings *p) noexcept nogil
        void (*row_product)(double *y, const double *x, const double *w, const double *bias, Py_ssize_t n_cols,
                            Py_ssize_t n_k, Py_ssize_t w_k, int accumulate, double floor) noexcept nogil
        void (*two_panels_product)(double *y, const double *x, const double *w, Py_ssize_t next, const double *bias,
                                   const panel_settings *p) noexcept nogil
        void (*column_product)(double *y, const double *x, const double *w, const double *bias,
                               const panel_settings *p) noexcept nogil
        void (*nearness)(double *y, const double *x, const double *c, const double *factors, Py_ssize_t n_rows,
                         Py_ssize_t n_features, Py_ssize_t n_centers, Py_ssize_t y_row, Py_ssize_t x_row) noexcept nogil
        void (*pack_transposed)(double *packed, const double *w, Py_ssize_t n_k, Py_ssize_t n_cols,
                                Py_ssize_t w_c) noexcept nogil
        void (*gather)(double *y, const double *x, const int64_t *order, Py_ssize_t n_rows, Py_ssize_t n_coming,
                       Py_ssize_t n_cols, Py_ssize_t y_row, Py_ssize_t x_row) noexcept nogil
        void (*transpose)(double *y, const double *x, Py_ssize_t n_rows, Py_ssize_t n_cols, Py_ssize_t y_row,
                          Py_ssize_t x_row) noexcept nogil
        void (*column_sums)(double *y, const double *x, Py_ssize_t n_rows, Py_ssize_t n_cols, Py_ssize_t x_row,
                            int accumulate) noexcept nogil
        void (*exp)(double *y, const double *x, Py_ssize_t n) noexcept nogil
        void (*log)(double *y, const double *x, Py_ssize_t n) noexcept nogil
        void (*cosine_sine)(double *c, double *s, const double *turns, Py_ssize_t n) noexcept nogil
        void (*activation_forward)(double *a, const double *z, Py_ssize_t n, int kind, const double *p) noexcept nogil
        void (*activation_backward)(double *delta, const double *da, const double *z, const double *a, Py_ssize_t n,
                                    int kind, const double *p) noexcept nogil
        void (*function_forward)(double *y, const double *a, const double *b, const double *c, Py_ssize_t n,
                                 int function) noexcept nogil
        void (*function_backward)(double *d, const double *dy, const double *y, const double *a, const double *b,
                                  const double *c, Py_ssize_t n, int function, int which) noexcept nogil
        void (*softmax)(double *a, double *log_sum, const double *z, Py_ssize_t n_rows, Py_ssize_t n_cols,
                        Py_ssize_t a_row, Py_ssize_t z_row) noexcept nogil
        void (*optimizer_step)(double *w, double **slots, double *g, Py_ssize_t n, int rule, const hyperparameters *h,
                               const step_scalars *s) noexcept nogil
        void (*add_scaled)(double *y, const double *x, Py_ssize_t n, double scale) noexcept nogil
        void (*scale)(double *y, const double *x, Py_ssize_t n, double scale) noexcept nogil
        double (*sum_of_squares)(const double *x, Py_ssize_t n) noexcept nogil
        int (*all_finite)(const double *x, Py_ssize_t n) noexcept nogil
        void (*column_moments)(double *mean, double *variance, const double *x, Py_ssize_t n_rows, Py_ssize_t n_cols,
                               Py_ssize_t x_row) noexcept nogil
        void (*column_products)(double *total, double *product, const double *dy, const double *x, const double *mean,
                                Py_ssize_t n_rows, Py_ssize_t n_cols, Py_ssize_t dy_row,
                                Py_ssize_t x_row) noexcept nogil
        void (*normalize_columns)(double *y, const double *x, const double *centre, const double *factor,
                                  const double *offset, Py_ssize_t n_rows, Py_ssize_t n_cols, Py_ssize_t y_row,
                                  Py_ssize_t x_row) noexcept nogil
        void (*differentiate_columns)(double *dx, const double *dy, const double *x, const double *centre,
                                      const double *factor, const double *slope, const double *offset,
                                      Py_ssize_t n_rows, Py_ssize_t n_cols, Py_ssize_t x_row, Py_ssize_t dy_row,
                                      int accumulate) noexcept nogil
        double (*row_sum)(const double *x, Py_ssize_t n) noexcept nogil
        double (*centred_squares)(const double *x, Py_ssize_t n, double mean) noexcept nogil
        void (*normalize_row)(double *y, const double *x, const double *gamma, const double *beta, Py_ssize_t n,
                              double mean, double inverse) noexcept nogil
        void (*row_products)(double *total, double *product, const double *dy, const double *x, const double *gamma,
                             Py_ssize_t n, double mean) noexcept nogil
        void (*add_row_gradients)(double *d_gamma, double *d_beta, const double *dy, const double *x, Py_ssize_t n,
                                  double mean, double inverse) noexcept nogil
        void (*differentiate_row)(double *dx, const double *dy, const double *x, const double *gamma, Py_ssize_t n,
                                  double mean, double inverse, double slope, double offset,
                                  int accumulate) noexcept nogil
        void (*philox_groups)(uint32_t *words, uint64_t first_group, Py_ssize_t n_groups, uint64_t stream,
                              uint64_t key) noexcept nogil

    const kernels_f32 *simd_f32
    const kernels_f64 *simd_f64
    const char *simd_select(const char *wanted)
    int simd_available(const char **names, int capacity)


cdef inline Py_ssize_t panel_width(const real *typed) noexcept nogil:
    if real is float:
        return simd_f32.panel_width
    else:
        return simd_f64.panel_width


cdef inline void panel_product(real *y, const real *x, const real *w, real *packed, const real *bias, const real *gate,
                               const panel_settings *p) noexcept nogil:
    if real is float:
        simd_f32.panel_product(y, x, w, packed, bias, gate, p)
    else:
        simd_f64.panel_product(y, x, w, packed, bias, gate, p)


cdef inline void row_product(real *y, const real *x, const real *w, const real *bias, Py_ssize_t n_cols, Py_ssize_t n_k,
                             Py_ssize_t w_k, int accumulate, real floor) noexcept nogil:
    if real is float:
        simd_f32.row_product(y, x, w, bias, n_cols, n_k, w_k, accumulate, floor)
    else:
        simd_f64.row_product(y, x, w, bias, n_cols, n_k, w_k, accumulate, floor)


cdef inline void two_panels_product(real *y, const real *x, const real *w, Py_ssize_t next, const real *bias,
                                    const panel_settings *p) noexcept nogil:
    if real is float:
        simd_f32.two_panels_product(y, x, w, next, bias, p)
    else:
        simd_f64.two_panels_product(y, x, w, next, bias, p)


cdef inline void column_product(real *y, const real *x, const real *w, const real *bias,
                                const panel_settings *p) noexcept nogil:
    if real is float:
        simd_f32.column_product(y, x, w, bias, p)
    else:
        simd_f64.column_product(y, x, w, bias, p)


cdef inline void nearness(real *y, const real *x, const real *c, const real *factors, Py_ssize_t n_rows,
                          Py_ssize_t n_features, Py_ssize_t n_centers, Py_ssize_t y_row,
                          Py_ssize_t x_row) noexcept nogil:
    if real is float:
        simd_f32.nearness(y, x, c, factors, n_rows, n_features, n_centers, y_row, x_row)
    else:
        simd_f64.nearness(y, x, c, factors, n_rows, n_features, n_centers, y_row, x_row)


cdef inline void pack_transposed(real *packed, const real *w, Py_ssize_t n_k, Py_ssize_t n_cols,
                                 Py_ssize_t w_c) noexcept nogil:
    if real is float:
        simd_f32.pack_transposed(packed, w, n_k, n_cols, w_c)
    else:
        simd_f64.pack_transposed(packed, w, n_k, n_cols, w_c)


cdef inline void gather(real *y, const real *x, const int64_t *order, Py_ssize_t n_rows, Py_ssize_t n_coming,
                        Py_ssize_t n_cols, Py_ssize_t y_row, Py_ssize_t x_row) noexcept nogil:
    if real is float:
        simd_f32.gather(y, x, order, n_rows, n_coming, n_cols, y_row, x_row)
    else:
        simd_f64.gather(y, x, order, n_rows, n_coming, n_cols, y_row, x_row)


cdef inline void transpose(real *y, const real *x, Py_ssize_t n_rows, Py_ssize_t n_cols, Py_ssize_t y_row,
                           Py_ssize_t x_row) noexcept nogil:
    if real is float:
        simd_f32.transpose(y, x, n_rows, n_cols, y_row, x_row)
    else:
        simd_f64.transpose(y, x, n_rows, n_cols, y_row, x_row)


cdef inline void column_sums(real *y, const real *x, Py_ssize_t n_rows, Py_ssize_t n_cols, Py_ssize_t x_row,
                             int accumulate) noexcept nogil:
    if real is float:
        simd_f32.column_sums(y, x, n_rows, n_cols, x_row, accumulate)
    else:
        simd_f64.column_sums(y, x, n_rows, n_cols, x_row, accumulate)


cdef inline void vector_exp(real *y, const real *x, Py_ssize_t n) noexcept nogil:
    if real is float:
        simd_f32.exp(y, x, n)
    else:
        simd_f64.exp(y, x, n)


cdef inline void vector_log(real *y, const real *x, Py_ssize_t n) noexcept nogil:
    if real is float:
        simd_f32.log(y, x, n)
    else:
        simd_f64.log(y, x, n)


cdef inline void cosine_sine(real *c, real *s, const real *turns, Py_ssize_t n) noexcept nogil:
    if real is float:
        simd_f32.cosine_sine(c, s, turns, n)
    else:
        simd_f64.cosine_sine(c, s, turns, n)


cdef inline void activation_forward(real *a, const real *z, Py_ssize_t n, int kind, const real *p) noexcept nogil:
    if real is float:
        simd_f32.activation_forward(a, z, n, kind, p)
    else:
        simd_f64.activation_forward(a, z, n, kind, p)


cdef inline void activation_backward(real *delta, const real *da, const real *z, const real *a, Py_ssize_t n, int kind,
                                     const real *p) noexcept nogil:
    if real is float:
        simd_f32.activation_backward(delta, da, z, a, n, kind, p)
    else:
        simd_f64.activation_backward(delta, da, z, a, n, kind, p)


cdef inline void function_forward(real *y, const real *a, const real *b, const real *c, Py_ssize_t n,
                                  int function) noexcept nogil:
    if real is float:
        simd_f32.function_forward(y, a, b, c, n, function)
    else:
        simd_f64.function_forward(y, a, b, c, n, function)


cdef inline void function_backward(real *d, const real *dy, const real *y, const real *a, const real *b, const real *c,
                                   Py_ssize_t n, int function, int which) noexcept nogil:
    if real is float:
        simd_f32.function_backward(d, dy, y, a, b, c, n, function, which)
    else:
        simd_f64.function_backward(d, dy, y, a, b, c, n, function, which)


cdef inline void softmax_rows(real *a, real *log_sum, const real *z, Py_ssize_t n_rows, Py_ssize_t n_cols,
                              Py_ssize_t a_row, Py_ssize_t z_row) noexcept nogil:
    if real is float:
        simd_f32.softmax(a, log_sum, z, n_rows, n_cols, a_row, z_row)
    else:
        simd_f64.softmax(a, log_sum, z, n_rows, n_cols, a_row, z_row)


cdef inline void optimizer_step(real *w, real **slots, real *g, Py_ssize_t n, int rule, const hyperparameters *h,
                                const step_scalars *s) noexcept nogil:
    if real is float:
        simd_f32.optimizer_step(w, slots, g, n, rule, h, s)
    else:
        simd_f64.optimizer_step(w, slots, g, n, rule, h, s)


cdef inline void add_scaled(real *y, const real *x, Py_ssize_t n, real scale) noexcept nogil:
    if real is float:
        simd_f32.add_scaled(y, x, n, scale)
    else:
        simd_f64.add_scaled(y, x, n, scale)


cdef inline void scale_by(real *y, const real *x, Py_ssize_t n, real scale) noexcept nogil:
    if real is float:
        simd_f32.scale(y, x, n, scale)
    else:
        simd_f64.scale(y, x, n, scale)


cdef inline double sum_of_squares(const real *x, Py_ssize_t n) noexcept nogil:
    if real is float:
        return simd_f32.sum_of_squares(x, n)
    else:
        return simd_f64.sum_of_squares(x, n)


cdef inline int all_finite(const real *x, Py_ssize_t n) noexcept nogil:
    if real is float:
        return simd_f32.all_finite(x, n)
    else:
        return simd_f64.all_finite(x, n)


cdef inline void column_moments(double *mean, double *variance, const real *x, Py_ssize_t n_rows, Py_ssize_t n_cols,
                                Py_ssize_t x_row) noexcept nogil:
    if real is float:
        simd_f32.column_moments(mean, variance, x, n_rows, n_cols, x_row)
    else:
        simd_f64.column_moments(mean, variance, x, n_rows, n_cols, x_row)


cdef inline void column_products(double *total, double *product, const real *dy, const real *x, const double *mean,
                                 Py_ssize_t n_rows, Py_ssize_t n_cols, Py_ssize_t dy_row,
                                 Py_ssize_t x_row) noexcept nogil:
    if real is float:
        simd_f32.column_products(total, product, dy, x, mean, n_rows, n_cols, dy_row, x_row)
    else:
        simd_f64.column_products(total, product, dy, x, mean, n_rows, n_cols, dy_row, x_row)


cdef inline void normalize_columns(real *y, const real *x, const real *centre, const real *factor, const real *offset,
                                   Py_ssize_t n_rows, Py_ssize_t n_cols, Py_ssize_t y_row,
                                   Py_ssize_t x_row) noexcept nogil:
    if real is float:
        simd_f32.normalize_columns(y, x, centre, factor, offset, n_rows, n_cols, y_row, x_row)
    else:
        simd_f64.normalize_columns(y, x, centre, factor, offset, n_rows, n_cols, y_row, x_row)


cdef inline void differentiate_columns(real *dx, const real *dy, const real *x, const real *centre, const real *factor,
                                       const real *slope, const real *offset, Py_ssize_t n_rows, Py_ssize_t n_cols,
                                       Py_ssize_t x_row, Py_ssize_t dy_row, int accumulate) noexcept nogil:
    if real is float:
        simd_f32.differentiate_columns(dx, dy, x, centre, factor, slope, offset, n_rows, n_cols, x_row, dy_row,
                                       accumulate)
    else:
        simd_f64.differentiate_columns(dx, dy, x, centre, factor, slope, offset, n_rows, n_cols, x_row, dy_row,
                                       accumulate)


cdef inline double row_sum(const real *x, Py_ssize_t n) noexcept nogil:
    if real is float:
        return simd_f32.row_sum(x, n)
    else:
        return simd_f64.row_sum(x, n)


cdef inline double centred_squares(const real *x, Py_ssize_t n, double mean) noexcept nogil:
    if real is float:
        return simd_f32.centred_squares(x, n, mean)
    else:
        return simd_f64.centred_squares(x, n, mean)


cdef inline void normalize_row(real *y, const real *x, const real *gamma, const real *beta, Py_ssize_t n, double mean,
                               double inverse) noexcept nogil:
    if real is float:
        simd_f32.normalize_row(y, x, gamma, beta, n, mean, inverse)
    else:
        simd_f64.normalize_row(y, x, gamma, beta, n, mean, inverse)


cdef inline void row_products(double *total, double *product, const real *dy, const real *x, const real *gamma,
                              Py_ssize_t n, double mean) noexcept nogil:
    if real is float:
        simd_f32.row_products(total, product, dy, x, gamma, n, mean)
    else:
        simd_f64.row_products(total, product, dy, x, gamma, n, mean)


cdef inline void add_row_gradients(double *d_gamma, double *d_beta, const real *dy, const real *x, Py_ssize_t n,
                                   double mean, double inverse) noexcept nogil:
    if real is float:
        simd_f32.add_row_gradients(d_gamma, d_beta, dy, x, n, mean, inverse)
    else:
        simd_f64.add_row_gradients(d_gamma, d_beta, dy, x, n, mean, inverse)


cdef inline void differentiate_row(real *dx, const real *dy, const real *x, const real *gamma, Py_ssize_t n,
                                   double mean, double inverse, double slope, double offset,
                                   int accumulate) noexcept nogil:
    if real is float:
        simd_f32.differentiate_row(dx, dy, x, gamma, n, mean, inverse, slope, offset, accumulate)
    else:
        simd_f64.differentiate_row(dx, dy, x, gamma, n, mean, inverse, slope, offset, accumulate)


cdef inline void philox_groups(uint32_t *words, uint64_t first_group, Py_ssize_t n_groups, uint64_t stream,
                               uint64_t key) noexcept nogil:
    simd_f32.philox_groups(words, first_group, n_groups, stream, key)
