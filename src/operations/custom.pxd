# The way out to Python: activations, losses, operations, penalties and constraints that a user wrote. Floor 1.
# Each call takes the GIL and hands over copies, so that a reference kept by the user never points into the arena.
# An exception is left on the Python object (`error`), and the run stops before a parameter is touched.

from cpython.exc cimport PyErr_CheckSignals
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdint cimport int64_t

from plan cimport Operation, Sizes, Step, Workspace
from simd cimport real

cdef extern from "Python.h":
    int PyBUF_READ, PyBUF_WRITE


cdef inline object rows_as_array(const real *data, Py_ssize_t n_rows, Py_ssize_t n_cols, Py_ssize_t row):
    """An array over rows in the arena; it must not outlive the call."""
    import numpy
    cdef Py_ssize_t n_bytes = max(<Py_ssize_t> 0, (n_rows - 1) * row + n_cols) * <Py_ssize_t> sizeof(real)
    memory = PyMemoryView_FromMemory(<char *> data, n_bytes, PyBUF_WRITE)
    return numpy.ndarray((n_rows, n_cols), numpy.float32 if real is float else numpy.float64, memory, 0,
                         (row * <Py_ssize_t> sizeof(real), <Py_ssize_t> sizeof(real)))


cdef inline int store(object view, object result, str method) except -1:
    import numpy
    result = numpy.asarray(result)
    if result.shape != view.shape:
        raise ValueError(f"`{method}` must return an array of shape {view.shape}. Received: shape={result.shape}")
    view[...] = result
    return 0


cdef inline void custom_activation_forward(void *custom, Workspace *workspace, real *a, const real *z,
                                           Py_ssize_t n_rows, Py_ssize_t n_cols, Py_ssize_t row) noexcept with gil:
    """a = custom.forward(z)"""
    try:
        store(rows_as_array(a, n_rows, n_cols, row),
              (<object> custom).forward(rows_as_array(z, n_rows, n_cols, row).copy()), "forward")
    except BaseException as error:
        (<object> custom).error = error
        workspace.failed = True


cdef inline void custom_activation_backward(void *custom, Workspace *workspace, real *delta, const real *z,
                                            const real *a, Py_ssize_t n_rows, Py_ssize_t n_cols,
                                            Py_ssize_t row) noexcept with gil:
    """delta *= custom.derivative(z, a)"""
    try:
        view = rows_as_array(delta, n_rows, n_cols, row)
        store(view, view * (<object> custom).derivative(rows_as_array(z, n_rows, n_cols, row).copy(),
                                                        rows_as_array(a, n_rows, n_cols, row).copy()), "derivative")
    except BaseException as error:
        (<object> custom).error = error
        workspace.failed = True


cdef inline object chosen_rows(const real *y, const int64_t *order, Py_ssize_t first, Py_ssize_t n,
                               Py_ssize_t width):
    """A copy of the rows order[first] .. order[first + n - 1], or first .. first + n - 1 without an order."""
    import numpy
    cdef Py_ssize_t n_seen
    if order == NULL:
        return rows_as_array(y + first * width, n, width, width).copy()
    memory = PyMemoryView_FromMemory(<char *> (order + first), n * <Py_ssize_t> sizeof(int64_t), PyBUF_READ)
    rows = numpy.frombuffer(memory, numpy.int64)
    n_seen = rows.max() + 1
    return rows_as_array(y, n_seen, width, width)[rows]


cdef inline const double *custom_loss(void *custom, bint *failed, real *gradient, const real *y, const int64_t *order,
                                      Py_ssize_t first, Py_ssize_t n_samples, Py_ssize_t y_cols, const real *weights,
                                      Py_ssize_t weight_cols, const real *a, Py_ssize_t n_rows, Py_ssize_t n_cols,
                                      Py_ssize_t row) noexcept with gil:
    """Returns custom.value(y, a), one number a row, which `custom` keeps; gradient = custom.gradient(y, a)

    y has one row of `y_cols` a sample, weights (or NULL) one of `weight_cols`, a and the gradient `n_rows` of `n_cols`
    altogether. NULL if it fails.
    """
    import numpy
    cdef Py_ssize_t address
    try:
        y_true = chosen_rows(y, order, first, n_samples, y_cols)
        y_pred = rows_as_array(a, n_rows, n_cols, row).copy()
        if getattr(<object> custom, "couples_rows", False):
            (<object> custom).weights = None if weights == NULL else chosen_rows(weights, order, first, n_samples,
                                                                                 weight_cols)
        values = numpy.ascontiguousarray((<object> custom).value(y_true, y_pred), numpy.float64)
        if values.shape != (n_rows,):
            raise ValueError(f"`value` must return an array of shape {(n_rows,)}. Received: shape={values.shape}")
        (<object> custom).values = values
        address = values.ctypes.data
        if gradient != NULL:
            store(rows_as_array(gradient, n_rows, n_cols, row), (<object> custom).gradient(y_true, y_pred), "gradient")
        return <const double *> address
    except BaseException as error:
        (<object> custom).error = error
        failed[0] = True
        return NULL


cdef inline bint custom_operation_fits(const Sizes *s) noexcept nogil:
    return s.operation.custom != NULL and s.input.rows == s.output.rows


cdef inline void custom_operation_needs(const Sizes *s, Operation *operation) noexcept nogil:
    operation.whole_batch = True


cdef inline void custom_operation_forward(const Step *s, real **tensors) noexcept with gil:
    """y = custom.forward(x)"""
    custom = <object> s.operation.custom
    try:
        store(rows_as_array(<real *> s.y, s.n_rows, s.output.width, s.y_row),
              custom.forward(rows_as_array(<real *> s.x, s.n_rows, s.input.width, s.x_row).copy()), "forward")
    except BaseException as error:
        custom.error = error
        s.workspace.failed = True


cdef inline void custom_operation_backward(const Step *s, real **tensors, real **gradients) noexcept with gil:
    """dx (+)= custom.backward(dy, x)"""
    custom = <object> s.operation.custom
    if s.dx == NULL:
        return
    try:
        view = rows_as_array(<real *> s.dx, s.n_rows, s.input.width, s.x_row)
        result = custom.backward(rows_as_array(<real *> s.dy, s.n_rows, s.output.width, s.y_row).copy(),
                                 rows_as_array(<real *> s.x, s.n_rows, s.input.width, s.x_row).copy())
        store(view, view + result if s.adds_dx else result, "backward")
    except BaseException as error:
        custom.error = error
        s.workspace.failed = True


cdef inline double custom_penalty(void *custom, bint *failed, real *gradient, const real *w, Py_ssize_t n_rows,
                                  Py_ssize_t n_cols, Py_ssize_t gradient_row, Py_ssize_t w_row, double scale,
                                  bint add) noexcept with gil:
    """Returns scale custom.penalty(w), or (where a gradient is given) gradient (+)= scale custom.gradient(w)"""
    try:
        values = rows_as_array(w, n_rows, n_cols, w_row).copy()
        if gradient == NULL:
            return scale * (<object> custom).penalty(values)
        view = rows_as_array(gradient, n_rows, n_cols, gradient_row)
        result = scale * (<object> custom).gradient(values)
        store(view, view + result if add else result, "gradient")
    except BaseException as error:
        (<object> custom).error = error
        failed[0] = True
    return 0


cdef inline void custom_constraint(void *custom, bint *failed, real *w, Py_ssize_t n_rows,
                                   Py_ssize_t n_cols) noexcept with gil:
    """w = custom.constrain(w)"""
    try:
        view = rows_as_array(w, n_rows, n_cols, n_cols)
        store(view, (<object> custom).constrain(view.copy()), "__call__")
    except BaseException as error:
        (<object> custom).error = error
        failed[0] = True


cdef inline void exchange_sums(Workspace *workspace, double *sums, Py_ssize_t n) noexcept with gil:
    """sums (n) are added up, in place, over the processes that share a batch"""
    import numpy
    memory = PyMemoryView_FromMemory(<char *> sums, n * <Py_ssize_t> sizeof(double), PyBUF_WRITE)
    try:
        (<object> workspace.exchange)(numpy.frombuffer(memory, numpy.float64))
    except BaseException as error:
        (<object> workspace.exchange).error = error
        workspace.failed = True


cdef inline void poll_signals(Workspace *workspace) noexcept with gil:
    """Lets Ctrl-C end a step that takes long."""
    try:
        PyErr_CheckSignals()
    except BaseException as error:
        (<object> workspace.interruption).error = error
        workspace.failed = True
