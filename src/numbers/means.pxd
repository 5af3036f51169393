# Means of what several networks make of the same rows. Floor 1.


cdef inline void weighted_sums(double *sums, const float *x, const double *shares, const float *low, const float *high,
                               Py_ssize_t n_rows, Py_ssize_t n, Py_ssize_t n_cols) noexcept nogil:
    """sums[r, c] = sum over i of shares[i] min(max(x[r, i, c], low[i, c]), high[i, c]), in this order; NaN stays"""
    cdef Py_ssize_t _r, i, c
    cdef float value
    for _r in range(n_rows):
        for c in range(n_cols):
            sums[c] = 0
        for i in range(n):
            for c in range(n_cols):
                value = x[i * n_cols + c]
                if value < low[i * n_cols + c]:
                    value = low[i * n_cols + c]
                elif value > high[i * n_cols + c]:
                    value = high[i * n_cols + c]
                sums[c] += shares[i] * value
        sums += n_cols
        x += n * n_cols
