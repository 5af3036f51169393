# Spectral normalization: y = x, and in training the kernel of the layer above is divided by its largest singular value
# first, as power iteration estimates it. The kernel itself changes, before the products that read it. Floor 1.

from libc.math cimport sqrt
from libc.string cimport memset

from plan cimport Operation, Sizes, Step, is_training
from rows cimport put_rows
from simd cimport real
from step cimport doubles, has_shape, same_shape, tensor_of

# Tensors.
cdef enum:
    KERNEL = 0        # (rows, columns)
    VECTOR            # (columns): u, what the iterations have found so far

# Integers.
cdef enum:
    KERNEL_ROWS = 0
    KERNEL_COLUMNS
    POWER_ITERATIONS


cdef inline bint spectral_fits(const Sizes *s) noexcept nogil:
    cdef Py_ssize_t n_rows = s.operation.integers[KERNEL_ROWS], n_columns = s.operation.integers[KERNEL_COLUMNS]
    return (same_shape(s) and n_rows > 0 and n_columns > 0 and s.operation.integers[POWER_ITERATIONS] > 0
            and has_shape(s, KERNEL, n_rows, n_columns) and has_shape(s, VECTOR, 1, n_columns))


cdef inline void spectral_needs(const Sizes *s, Operation *operation) noexcept nogil:
    """u and v, in double precision; once a batch"""
    operation.fixed_scratch = doubles(s, operation.integers[KERNEL_ROWS] + operation.integers[KERNEL_COLUMNS])
    operation.whole_batch = True


cdef inline void scale_to_length_1(double *x, Py_ssize_t n) noexcept nogil:
    """x / max(|x|, 1e-7)"""
    cdef double squares = 0, inverse
    cdef Py_ssize_t i
    for i in range(n):
        squares += x[i] * x[i]
    inverse = 1 / max(sqrt(squares), 1e-7)
    for i in range(n):
        x[i] *= inverse


cdef inline void times_columns(double *v, const real *w, const double *u, Py_ssize_t n_rows,
                               Py_ssize_t n_columns) noexcept nogil:
    """v (n_rows) = w . u"""
    cdef Py_ssize_t i, j
    for i in range(n_rows):
        v[i] = 0
        for j in range(n_columns):
            v[i] += w[i * n_columns + j] * u[j]


cdef inline void times_rows(double *u, const double *v, const real *w, Py_ssize_t n_rows,
                            Py_ssize_t n_columns) noexcept nogil:
    """u (n_columns) = v . w"""
    cdef Py_ssize_t i, j
    memset(u, 0, n_columns * sizeof(double))
    for i in range(n_rows):
        for j in range(n_columns):
            u[j] += v[i] * w[i * n_columns + j]


cdef inline bint is_zero(const real *w, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        if w[i] != 0:
            return False
    return True


cdef inline void normalize_spectrum(real *w, real *vector, double *u, double *v, Py_ssize_t n_rows,
                                    Py_ssize_t n_columns, Py_ssize_t n_iterations) noexcept nogil:
    """v = w.u / |w.u|, u = v.w / |v.w|, a few times over;  w (n_rows, n_columns) /= v.w.u"""
    cdef double value = 0
    cdef Py_ssize_t i, j, _
    for j in range(n_columns):
        u[j] = vector[j]
    for _ in range(n_iterations):
        times_columns(v, w, u, n_rows, n_columns)
        scale_to_length_1(v, n_rows)
        times_rows(u, v, w, n_rows, n_columns)
        scale_to_length_1(u, n_columns)
    for j in range(n_columns):
        vector[j] = <real> u[j]
    for i in range(n_rows):
        for j in range(n_columns):
            value += v[i] * w[i * n_columns + j] * u[j]
    for i in range(n_rows * n_columns):
        w[i] = <real> (w[i] / value)


cdef inline void spectral_forward(const Step *s, real **tensors) noexcept nogil:
    """y = x"""
    cdef Py_ssize_t n_rows = s.operation.integers[KERNEL_ROWS], n_columns = s.operation.integers[KERNEL_COLUMNS]
    cdef real *kernel = tensor_of(s, tensors, KERNEL)
    cdef double *u = <double *> s.scratch
    if is_training(s.workspace) and s.workspace.live and not is_zero(kernel, n_rows * n_columns):
        normalize_spectrum(kernel, tensor_of(s, tensors, VECTOR), u, u + n_columns, n_rows, n_columns,
                           s.operation.integers[POWER_ITERATIONS])
    put_rows(<real *> s.y, <const real *> s.x, s.n_rows, s.input.width, s.y_row, s.x_row, False)


cdef inline void spectral_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """dx (+)= dy"""
    if s.dx != NULL:
        put_rows(<real *> s.dx, <const real *> s.dy, s.n_rows, s.input.width, s.x_row, s.y_row, s.adds_dx)
