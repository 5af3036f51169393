# Single kernels: for descriptions, which compute with them, and for tests. Floor 2.

from libc.math cimport NAN
from libc.stdint cimport int32_t
from libc.stdlib cimport free
from libc.string cimport memset

from bfloat16 cimport keep_w, kept_size, round_factors, rounded_size
from blocks cimport Product, begin_plain
from loss cimport LABELS, SMOOTHED, Loss, Targets, compares_labels
from losses cimport loss_on_logits, loss_row, works_on_logits
from matmul cimport multiply
from ranges cimport all_of_two, all_within, rows_add_up
from row_activations cimport activate_rows, derive_rows
from simd cimport all_finite as check_finite
from simd cimport CUSTOM_ACTIVATION, ROW_GLU, real

cdef void multiply_arrays(Product *p, real *y, const real *x, const real *w) noexcept nogil:
    p.x, p.w = x, w
    multiply(p, y)


cdef int multiply_rounded(Product *p, object y, object x, object w, bint keeps_w) except -1:
    cdef float *kept = NULL
    x_room = np.empty(rounded_size(x.shape[0], x.shape[1]), np.float32)
    w_room = np.empty(rounded_size(w.shape[0], w.shape[1]) + kept_size(p.n_k, p.n_cols), np.float32)
    p.x, p.w = cnp.PyArray_DATA(x), cnp.PyArray_DATA(w)
    if keeps_w:
        kept = <float *> cnp.PyArray_DATA(w_room)
        keep_w(kept, <const float *> p.w, p.n_k, p.n_cols)
    round_factors(p, <float *> cnp.PyArray_DATA(x_room), <float *> cnp.PyArray_DATA(w_room), kept, False,
                  False)
    multiply(p, <float *> cnp.PyArray_DATA(y))
    return 0


def product(object x, object w, bint transposed_x=False, bint transposed_w=False, object y=None,
            bint in_bfloat16=False, bint keeps_w=False):
    """x . w, x^T . w or x . w^T of C-contiguous matrices by the blocked product; added to y if it is given.

    In bfloat16 x and w are rounded to it first; w as predictors keep it, if told so.
    """
    cdef Product p
    begin_plain(&p)
    if not x.ndim == w.ndim == 2:
        raise ValueError(f"x and w must be matrices. Received: x.shape={x.shape}, w.shape={w.shape}")
    p.n_rows, p.n_k = x.shape[1 if transposed_x else 0], x.shape[0 if transposed_x else 1]
    p.n_cols = w.shape[0 if transposed_w else 1]
    if w.shape[1 if transposed_w else 0] != p.n_k:
        raise ValueError(f"x {x.shape} and w {w.shape} cannot be multiplied")
    p.x_row, p.x_k = (1, x.shape[1]) if transposed_x else (x.shape[1], 1)
    p.w_k, p.w_c = (1, w.shape[1]) if transposed_w else (w.shape[1], 1)
    p.y_row, p.accumulate = p.n_cols, y is not None
    if y is None:
        y = np.empty((p.n_rows, p.n_cols), x.dtype)
    data_of(x, y.dtype, p.n_rows * p.n_k)
    data_of(w, y.dtype, p.n_k * p.n_cols)
    data_of(y, y.dtype, p.n_rows * p.n_cols, True)
    if in_bfloat16:
        if y.dtype != np.float32:
            raise TypeError(f"x must be float32. Received: {y.dtype}")
        if keeps_w and transposed_w:
            raise ValueError("w cannot be kept and transposed")
        multiply_rounded(&p, y, x, w, keeps_w)
    elif y.dtype == np.float32:
        multiply_arrays(&p, <float *> cnp.PyArray_DATA(y), <float *> cnp.PyArray_DATA(x), <float *> cnp.PyArray_DATA(w))
    elif y.dtype == np.float64:
        multiply_arrays(&p, <double *> cnp.PyArray_DATA(y), <double *> cnp.PyArray_DATA(x),
                        <double *> cnp.PyArray_DATA(w))
    else:
        raise TypeError(f"x must be float32 or float64. Received: {y.dtype}")
    return y


cdef double *real_parameters(object parameters, double *target) except NULL:
    cdef int i
    for i, number in enumerate(parameters[:3]):
        target[i] = number
    return target


def activation_forward(str kind, object z, tuple parameters=()):
    """a = g(z) for a C-contiguous float array of any shape; row-wise kinds work on the last axis."""
    cdef double p[3]
    cdef Py_ssize_t width = z.shape[z.ndim - 1] if z.ndim else 1
    cdef int number = ACTIVATIONS[kind]
    memset(p, 0, sizeof(p))
    real_parameters(parameters, p)
    data_of(z, real_dtype(z.dtype), -1)
    if number == CUSTOM_ACTIVATION or kind == "glu" and width % 2:
        raise ValueError(f"{kind!r} cannot be applied to rows of {width}")
    a = np.empty(z.shape[:z.ndim - 1] + (width // 2,) if kind == "glu" else z.shape, z.dtype)
    cdef Py_ssize_t n = z.size // width if width else 0
    cdef Py_ssize_t a_row = a.shape[a.ndim - 1] if a.ndim else 1
    if n == 0:
        return a
    if z.dtype == np.float32:
        activate_rows(number, p, <float *> cnp.PyArray_DATA(a), <float *> cnp.PyArray_DATA(z), n, width, a_row, width)
    else:
        activate_rows(number, p, <double *> cnp.PyArray_DATA(a), <double *> cnp.PyArray_DATA(z), n, width, a_row, width)
    return a


def activation_backward(str kind, object da, object z, tuple parameters=()):
    """delta = da * g'(z), computed from z and a = g(z)."""
    cdef double p[3]
    cdef Py_ssize_t width = z.shape[z.ndim - 1] if z.ndim else 1
    cdef int number = ACTIVATIONS[kind]
    memset(p, 0, sizeof(p))
    real_parameters(parameters, p)
    a = activation_forward(kind, z, parameters)
    data_of(da, z.dtype, a.size)
    if number == ROW_GLU:
        raise ValueError("'glu' is an operation of its own: its derivative has another shape than `da`")
    delta = np.empty_like(z)
    if z.size == 0:
        return delta
    cdef Py_ssize_t n = z.size // width
    if z.dtype == np.float32:
        derive_rows(number, p, <float *> cnp.PyArray_DATA(delta), <float *> cnp.PyArray_DATA(da),
                    <float *> cnp.PyArray_DATA(z), <float *> cnp.PyArray_DATA(a), n, width, width)
    else:
        derive_rows(number, p, <double *> cnp.PyArray_DATA(delta), <double *> cnp.PyArray_DATA(da),
                    <double *> cnp.PyArray_DATA(z), <double *> cnp.PyArray_DATA(a), n, width, width)
    return delta


def softmax(object z):
    """Row-wise softmax."""
    return activation_forward("softmax", z)


cdef int fill_row_loss(Loss *loss, str kind, object parameters, Py_ssize_t target_width) except -1:
    """A loss by itself: the parameters as cnn_core.losses orders them."""
    cdef dict own = loss_parameters(kind, parameters)
    memset(loss, 0, sizeof(Loss))
    loss.traits = &loss_rows[<int> LOSSES[kind]]
    loss.has_labels = compares_labels(loss.traits)
    loss.smoothing, loss.ignored, loss.target_width = own["smoothing"], own["ignored"], target_width
    loss.from_logits = own["from_logits"]
    set_bounds(loss, 0)
    if loss.traits.row_f32 == NULL:
        raise ValueError("a custom loss is not native")
    fill_parameters(loss, own["parameters"])
    return 0


def loss_parameters(str kind, object parameters):
    """Sorts a loss's native parameters into from_logits, smoothing, ignored and the rest."""
    cdef int begin = loss_rows[<int> LOSSES[kind]].parameters_begin
    parameters = tuple(map(float, parameters))
    cdef dict result = {"from_logits": False, "smoothing": 0.0, "ignored": NAN, "parameters": parameters}
    if begin == SMOOTHED or begin == LABELS:
        check_length(parameters, 2, 6, "parameters")
        result["from_logits"], result["parameters"] = bool(parameters[0]), parameters[2:]
        result["smoothing" if begin == SMOOTHED else "ignored"] = parameters[1]
    return result


cdef void row_losses(const Loss *loss, double *values, real *gradient, const real *y, const int32_t *labels,
                     const real *a, Py_ssize_t n, Py_ssize_t y_width, Py_ssize_t width) noexcept nogil:
    """Value and gradient of every row, each for itself."""
    cdef Targets targets
    cdef Py_ssize_t r
    memset(&targets, 0, sizeof(Targets))
    for r in range(n):
        if loss.has_labels:
            targets.values = labels + r
        else:
            targets.values = y + r * y_width
        if works_on_logits(loss):
            values[r] = loss_on_logits(loss, gradient + r * width, gradient + r * width, a + r * width, &targets, 1, 1,
                                       width, width, 1)
        elif loss.has_labels and labels[r] == loss.ignored:
            values[r] = 0
            memset(gradient + r * width, 0, width * sizeof(real))
        else:
            values[r] = loss_row(loss, gradient + r * width, <const real *> targets.values, a + r * width, width)


cdef object losses_of_rows(str kind, object y, object a, object parameters):
    cdef Loss loss
    cdef Py_ssize_t n, width, y_width
    if not a.ndim == y.ndim == 2 or y.shape[0] != a.shape[0]:
        raise ValueError(f"y and a must be matrices of as many rows. Received: y.shape={y.shape}, a.shape={a.shape}")
    n, width, y_width = a.shape[0], a.shape[1], y.shape[1]
    data_of(a, real_dtype(a.dtype), n * width)
    fill_row_loss(&loss, kind, parameters, y_width)
    try:
        values, gradient = np.zeros(n), np.zeros(a.shape, a.dtype)
        if width == 0 or n == 0:
            return values, gradient
        check_widths(&loss, width)
        if loss.has_labels:
            labels = np.array(y, np.int32, order="C")
            if y_width != 1 or not all_labels(<const int32_t *> cnp.PyArray_DATA(labels), n, width, loss.ignored):
                raise ValueError(f"labels must be one column of 0..{width - 1}")
        else:
            labels = np.empty(0, np.int32)
        y = np.require(y, a.dtype, ("C", "A"))
        if a.dtype == np.float32:
            row_losses(&loss, <double *> cnp.PyArray_DATA(values), <float *> cnp.PyArray_DATA(gradient),
                       <float *> cnp.PyArray_DATA(y), <int32_t *> cnp.PyArray_DATA(labels),
                       <float *> cnp.PyArray_DATA(a), n, y_width, width)
        else:
            row_losses(&loss, <double *> cnp.PyArray_DATA(values), <double *> cnp.PyArray_DATA(gradient),
                       <double *> cnp.PyArray_DATA(y), <int32_t *> cnp.PyArray_DATA(labels),
                       <double *> cnp.PyArray_DATA(a), n, y_width, width)
    finally:
        free(loss.parameters)
    return values, gradient


def loss_values(str kind, object y, object a, object parameters=()):
    """The value of every row: (n,) of the predictions' type."""
    return losses_of_rows(kind, y, a, parameters)[0].astype(a.dtype)


def loss_gradient(str kind, object y, object a, object parameters=()):
    """The derivative of every row's value with respect to its predictions: an array like a."""
    return losses_of_rows(kind, y, a, parameters)[1]


def all_finite(cnp.ndarray array not None):
    """Whether a C-contiguous array of float32 or float64 holds neither NaN nor infinity."""
    cdef int kind = cnp.PyArray_TYPE(array)
    cdef Py_ssize_t n = cnp.PyArray_SIZE(array)
    cdef void *data = cnp.PyArray_DATA(array)
    cdef bint finite
    if not cnp.PyArray_ISCARRAY_RO(array) or kind not in (cnp.NPY_FLOAT32, cnp.NPY_FLOAT64):
        raise TypeError(f"expected a C-contiguous array of float32 or float64. Received: {array.dtype}")
    with nogil:
        finite = check_finite(<float *> data, n) if kind == cnp.NPY_FLOAT32 else check_finite(<double *> data, n)
    return finite


cdef bint holds(const real *x, Py_ssize_t n, Py_ssize_t width, double low, double high, tuple choices,
                double rounding) except -1:
    cdef double one, other
    cdef bint found = False
    if not all_within(x, n, <real> low, <real> high):
        return False
    for one, other in choices:
        found = found or all_of_two(x, n, <real> one, <real> other)
    return (found or not choices) and (rounding < 0 or rows_add_up(x, n // max(width, <Py_ssize_t> 1), width, rounding))


def all_mean_something(cnp.ndarray array not None, double low, double high, tuple choices=(), double rounding=-1):
    """Whether a C-contiguous array of float32 or float64 lies in a domain.

    That is from low to high; where pairs of numbers are the choices, of one pair alone; where the rounding is not
    negative, in rows along the last axis that add up to 1 but for so much.
    """
    cdef int kind = cnp.PyArray_TYPE(array)
    cdef Py_ssize_t n = cnp.PyArray_SIZE(array)
    cdef Py_ssize_t width = array.shape[array.ndim - 1] if array.ndim > 0 else 1
    cdef void *data = cnp.PyArray_DATA(array)
    if not cnp.PyArray_ISCARRAY_RO(array) or kind not in (cnp.NPY_FLOAT32, cnp.NPY_FLOAT64):
        raise TypeError(f"expected a C-contiguous array of float32 or float64. Received: {array.dtype}")
    if kind == cnp.NPY_FLOAT32:
        return holds(<float *> data, n, width, low, high, choices, rounding)
    return holds(<double *> data, n, width, low, high, choices, rounding)
