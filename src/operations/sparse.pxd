# The dense layer on rows of which only the elements that are not 0 are stored. Floor 1.
# Such rows are read where the caller has them; there is no dense copy. A column out of range counts for nothing: the
# arrays are the caller's, who may change them while they are read.

from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy, memset

from plan cimport Plan, SparseRows, Workspace
from shares cimport parts_of
from simd cimport add_scaled, real
from threads cimport pool_run

cdef enum:
    SPARSE_ROWS = 16           # of a product that a thread takes at a time
    SPARSE_COLUMNS = 64        # of a gradient
    WORTH_A_THREAD = 1 << 16   # multiply-adds

ctypedef struct SparseProduct:
    # z = x . w + bias, or dw (+)= x^T . delta
    const SparseRows *x
    void *z
    const void *w
    const void *bias
    void *dw
    const void *delta
    Py_ssize_t n
    Py_ssize_t n_in
    Py_ssize_t n_out
    Py_ssize_t row             # elements from one row of z or delta to the next


cdef inline void read_sparse(const Plan *plan, Workspace *workspace, int i, const SparseRows *source,
                             const int64_t *order, Py_ssize_t first) noexcept nogil:
    """Points input i of the plan at the samples from `first` of the order; NULL is the source's own."""
    workspace.sparse_inputs[i] = source[0]
    workspace.sparse_inputs[i].order, workspace.sparse_inputs[i].first = order, first
    workspace.values[plan.inputs[i]] = &workspace.sparse_inputs[i]


cdef inline Py_ssize_t sample_of(const SparseRows *x, Py_ssize_t row) noexcept nogil:
    return x.order[x.first + row] if x.order != NULL else x.first + row


cdef inline Py_ssize_t first_of(const SparseRows *x, Py_ssize_t sample) noexcept nogil:
    return min(max(x.indptr[sample], <int64_t> 0), <int64_t> x.n_stored)


cdef inline void product_of_rows(const SparseProduct *p, real *z, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    """Rows first .. last - 1 of z (n, n_out) = x (n, n_in) . w (n_in, n_out) + bias, over the columns that x stores"""
    cdef const real *data = <const real *> p.x.data
    cdef const real *w = <const real *> p.w
    cdef Py_ssize_t r, k, sample, column
    for r in range(first, last):
        sample = sample_of(p.x, r)
        if p.bias != NULL:
            memcpy(z + r * p.row, p.bias, p.n_out * sizeof(real))
        else:
            memset(z + r * p.row, 0, p.n_out * sizeof(real))
        for k in range(first_of(p.x, sample), first_of(p.x, sample + 1)):
            column = p.x.indices[k]
            if 0 <= column < p.n_in:
                add_scaled(z + r * p.row, w + column * p.n_out, p.n_out, data[k])


cdef inline void gradient_of_columns(const SparseProduct *p, real *dw, Py_ssize_t first,
                                     Py_ssize_t last) noexcept nogil:
    """Columns first .. last - 1 of dw (n_in, n_out) += x^T . delta (n, n_out), row after row of x"""
    cdef const real *data = <const real *> p.x.data
    cdef const real *delta = <const real *> p.delta
    cdef Py_ssize_t r, k, sample, column
    for r in range(p.n):
        sample = sample_of(p.x, r)
        for k in range(first_of(p.x, sample), first_of(p.x, sample + 1)):
            column = p.x.indices[k]
            if 0 <= column < p.n_in:
                add_scaled(dw + column * p.n_out + first, delta + r * p.row + first, last - first, data[k])


cdef inline void product_task_f32(void *context, Py_ssize_t index) noexcept nogil:
    cdef SparseProduct *p = <SparseProduct *> context
    product_of_rows(p, <float *> p.z, index * SPARSE_ROWS, min(p.n, (index + 1) * SPARSE_ROWS))


cdef inline void product_task_f64(void *context, Py_ssize_t index) noexcept nogil:
    cdef SparseProduct *p = <SparseProduct *> context
    product_of_rows(p, <double *> p.z, index * SPARSE_ROWS, min(p.n, (index + 1) * SPARSE_ROWS))


cdef inline void gradient_task_f32(void *context, Py_ssize_t index) noexcept nogil:
    cdef SparseProduct *p = <SparseProduct *> context
    gradient_of_columns(p, <float *> p.dw, index * SPARSE_COLUMNS, min(p.n_out, (index + 1) * SPARSE_COLUMNS))


cdef inline void gradient_task_f64(void *context, Py_ssize_t index) noexcept nogil:
    cdef SparseProduct *p = <SparseProduct *> context
    gradient_of_columns(p, <double *> p.dw, index * SPARSE_COLUMNS, min(p.n_out, (index + 1) * SPARSE_COLUMNS))


cdef inline Py_ssize_t work_of(const SparseProduct *p) noexcept nogil:
    """Multiply-adds, from the mean number of elements that all the caller's rows store."""
    return (first_of(p.x, p.x.n_rows) - first_of(p.x, 0)) // p.x.n_rows * p.n * p.n_out


cdef inline void sparse_product(SparseProduct *p, real *z) noexcept nogil:
    """z (n, n_out) = x (n, n_in) . w (n_in, n_out) + bias"""
    p.z = z
    if work_of(p) < WORTH_A_THREAD:
        product_of_rows(p, z, 0, p.n)
    else:
        pool_run(product_task_f32 if real is float else product_task_f64, p, parts_of(p.n, SPARSE_ROWS))


cdef inline void sparse_gradient(SparseProduct *p, real *dw, bint accumulate) noexcept nogil:
    """dw (n_in, n_out) (+)= x^T . delta; threads share out columns, so that every sum has one order"""
    p.dw = dw
    if not accumulate:
        memset(dw, 0, p.n_in * p.n_out * sizeof(real))
    if work_of(p) < WORTH_A_THREAD:
        gradient_of_columns(p, dw, 0, p.n_out)
    else:
        pool_run(gradient_task_f32 if real is float else gradient_task_f64, p,
                 parts_of(p.n_out, SPARSE_COLUMNS))
