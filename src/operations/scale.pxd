# A learnable factor for every input of a dense layer: z = (x * s) . w + b, s (n_in). Floor 1.
# The factors are drawn into the kernel, (x * s) . w = x . (s * w), and their gradient is read off the kernel's: that
# takes no product for dJ/dx, which the factors alone would need.

from libc.string cimport memset

from simd cimport add_scaled, real, scale_by

cdef enum:
    PARTIAL_SUMS = 8  # of a long sum, so that one addition need not wait for the other


cdef inline void scale_kernel(real *scaled, const real *w, const real *s, Py_ssize_t n_in,
                              Py_ssize_t n_out) noexcept nogil:
    """scaled (n_in, n_out) = s * w, row by row"""
    cdef Py_ssize_t i
    for i in range(n_in):
        scale_by(scaled + i * n_out, w + i * n_out, n_out, s[i])


cdef inline real inner_product(const real *x, const real *y, Py_ssize_t n) noexcept nogil:
    """sum of x y, in one order whatever the instruction set"""
    cdef real[PARTIAL_SUMS] sums
    cdef Py_ssize_t i = 0, k
    memset(sums, 0, sizeof(sums))
    while i + PARTIAL_SUMS <= n:
        for k in range(PARTIAL_SUMS):
            sums[k] += x[i + k] * y[i + k]
        i += PARTIAL_SUMS
    for k in range(n - i):
        sums[k] += x[i + k] * y[i + k]
    return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]))


cdef inline void scaled_kernel_gradients(real *dw, real *ds, const real *d_scaled, const real *w, const real *s,
                                         Py_ssize_t n_in, Py_ssize_t n_out, bint adds_dw,
                                         bint adds_ds) noexcept nogil:
    """dw (n_in, n_out) (+)= s * d_scaled;  ds (n_in) (+)= sum of w d_scaled over a row; either may be NULL"""
    cdef Py_ssize_t i
    for i in range(n_in):
        if ds != NULL:
            ds[i] = inner_product(w + i * n_out, d_scaled + i * n_out, n_out) + (ds[i] if adds_ds else 0)
        if dw != NULL and adds_dw:
            add_scaled(dw + i * n_out, d_scaled + i * n_out, n_out, s[i])
        elif dw != NULL:
            scale_by(dw + i * n_out, d_scaled + i * n_out, n_out, s[i])
