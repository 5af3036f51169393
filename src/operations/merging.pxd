# Several buffers into one: elementwise, side by side, and products of rows. Floor 1.
# An input with one row a sample or one column is repeated where the output has more.

from plan cimport ADD, AVERAGE, MAXIMUM, MINIMUM, MULTIPLY, SUBTRACT, Buffer, Operation, Sizes, Step
from rows cimport copy_rows, put_rows
from simd cimport real
from step cimport cleared_delta_of, delta_of, input_of, input_row, value_of

# Integers of a concatenation.
cdef enum:
    SEGMENTS  # 0 to join columns; else how many segments of rows a sample has, each with rows of every input in turn


# Elementwise.

cdef inline bint merge_fits(const Sizes *s) noexcept nogil:
    cdef const Buffer *input
    cdef int i
    for i in range(s.operation.n_inputs):
        input = &s.plan.buffers[s.operation.inputs[i]]
        if input.rows != 1 and input.rows != s.output.rows or input.width != 1 and input.width != s.output.width:
            return False
    return True


cdef inline void merge_needs(const Sizes *s, Operation *operation) noexcept nogil:
    """One row of a gradient"""
    operation.fixed_scratch = s.output.width


cdef inline const real *merged_row(const Step *s, int i, Py_ssize_t row, real **typed) noexcept nogil:
    """The row of input i that meets row `row` of the output."""
    if input_of(s, i).rows != s.output.rows:
        row //= s.output.rows
    return value_of(s, i, typed) + row * input_row(s, i)


cdef inline Py_ssize_t merged_step(const Step *s, int i) noexcept nogil:
    """From one column of input i to the next: 0 where its only column is repeated."""
    return 1 if input_of(s, i).width == s.output.width else 0


cdef inline void merge_into(real *y, const real *x, Py_ssize_t n, Py_ssize_t step, int kind) noexcept nogil:
    """y = y . x, with . the operation"""
    cdef Py_ssize_t c
    if kind == ADD or kind == AVERAGE:
        for c in range(n):
            y[c] += x[c * step]
    elif kind == SUBTRACT:
        for c in range(n):
            y[c] -= x[c * step]
    elif kind == MULTIPLY:
        for c in range(n):
            y[c] *= x[c * step]
    elif kind == MAXIMUM:
        for c in range(n):
            y[c] = x[c * step] if x[c * step] > y[c] else y[c]
    else:
        for c in range(n):
            y[c] = x[c * step] if x[c * step] < y[c] else y[c]


cdef inline void merge_forward(const Step *s, real **tensors) noexcept nogil:
    """y = x_0 . x_1 . x_2 ..., with . one of +, -, *, max, min; or the mean"""
    cdef Py_ssize_t width = s.output.width, step = merged_step(s, 0), r, c
    cdef const real *x
    cdef real *y = <real *> s.y
    cdef int i
    for r in range(s.workspace.n * s.output.rows):
        x = merged_row(s, 0, r, tensors)
        for c in range(width):
            y[c] = x[c * step]
        for i in range(1, s.operation.n_inputs):
            merge_into(y, merged_row(s, i, r, tensors), width, merged_step(s, i), s.operation.kind)
        if s.operation.kind == AVERAGE:
            for c in range(width):
                y[c] /= s.operation.n_inputs
        y += s.y_row


cdef inline void share_among_equals(real *g, const Step *s, Py_ssize_t row, int i, real **typed) noexcept nogil:
    """g /= number of inputs that are the extremum; 0 where input i is not one of them"""
    cdef const real *y = <const real *> s.y + row * s.y_row
    cdef const real *x = merged_row(s, i, row, typed)
    cdef Py_ssize_t step = merged_step(s, i), c
    cdef int j, equal
    for c in range(s.output.width):
        if x[c * step] != y[c]:
            g[c] = 0
            continue
        equal = 0
        for j in range(s.operation.n_inputs):
            equal += merged_row(s, j, row, typed)[c * merged_step(s, j)] == y[c]
        g[c] /= equal


cdef inline void merge_row_gradient(real *g, const Step *s, Py_ssize_t row, int i, real **typed) noexcept nogil:
    """g = dJ/dx_i for one row of the output, before repeated rows and columns are summed"""
    cdef const real *dy = <const real *> s.dy + row * s.y_row
    cdef Py_ssize_t width = s.output.width, c
    cdef int kind = s.operation.kind, j
    cdef real factor = 1
    if kind == AVERAGE:
        factor = <real> (1.0 / s.operation.n_inputs)
    elif kind == SUBTRACT and i > 0:
        factor = -1
    for c in range(width):
        g[c] = factor * dy[c]
    if kind == MULTIPLY:
        for j in range(s.operation.n_inputs):
            if j != i:
                merge_into(g, merged_row(s, j, row, typed), width, merged_step(s, j), MULTIPLY)
    elif kind == MAXIMUM or kind == MINIMUM:
        share_among_equals(g, s, row, i, typed)


cdef inline void merge_input_gradient(const Step *s, int i, real **typed) noexcept nogil:
    """dx_i (+)= dy d(y)/d(x_i), summed over what repeats x_i"""
    cdef Py_ssize_t step = merged_step(s, i), r, c
    cdef real *g = <real *> s.scratch
    cdef real *first = cleared_delta_of(s, i, typed)
    cdef real *dx
    cdef double total
    for r in range(s.workspace.n * s.output.rows if first != NULL else 0):
        dx = first + (r if input_of(s, i).rows == s.output.rows else r // s.output.rows) * input_row(s, i)
        merge_row_gradient(g, s, r, i, typed)
        if step == 1:
            for c in range(s.output.width):
                dx[c] += g[c]
        else:
            total = 0
            for c in range(s.output.width):
                total += g[c]
            dx[0] += <real> total


cdef inline void merge_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """dx_i (+)= dy d(y)/d(x_i) for every input; equal maxima or minima share dy among them"""
    cdef int i
    for i in range(s.operation.n_inputs):
        merge_input_gradient(s, i, tensors)


# Side by side.

cdef inline bint concatenate_fits(const Sizes *s) noexcept nogil:
    cdef Py_ssize_t segments = s.operation.integers[SEGMENTS], rows = 0, widths = 0
    cdef const Buffer *input
    cdef int i
    for i in range(s.operation.n_inputs):
        input = &s.plan.buffers[s.operation.inputs[i]]
        rows += input.rows
        widths += input.width
        if segments == 0 and input.rows != s.output.rows or segments > 0 and (
                input.width != s.output.width or input.rows % segments):
            return False
    return segments >= 0 and (widths == s.output.width if segments == 0 else rows == s.output.rows)


cdef inline void concatenate_forward(const Step *s, real **tensors) noexcept nogil:
    """y = [x_0, x_1, ...] along columns or rows"""
    cdef bint by_columns = s.operation.integers[SEGMENTS] == 0
    cdef Py_ssize_t segments = max(s.operation.integers[SEGMENTS], <Py_ssize_t> 1), place = 0, rows, k
    cdef Py_ssize_t step = s.y_row * (s.output.rows // segments)
    cdef const Buffer *input
    cdef int i
    for i in range(s.operation.n_inputs):
        input = input_of(s, i)
        rows = input.rows // segments
        for k in range(s.workspace.n * segments):
            copy_rows(<real *> s.y + k * step + place,
                      <const real *> value_of(s, i, tensors) + k * rows * input_row(s, i), rows, input.width, s.y_row,
                      input_row(s, i))
        place += input.width if by_columns else rows * s.y_row


cdef inline void concatenate_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """dx_i (+)= its part of dy"""
    cdef bint by_columns = s.operation.integers[SEGMENTS] == 0
    cdef Py_ssize_t segments = max(s.operation.integers[SEGMENTS], <Py_ssize_t> 1), place = 0, rows, k
    cdef Py_ssize_t step = s.y_row * (s.output.rows // segments)
    cdef const Buffer *input
    cdef bint *written = s.workspace.delta_written
    cdef real *dx
    cdef int i
    for i in range(s.operation.n_inputs):
        input, dx = input_of(s, i), delta_of(s, i, tensors)
        rows = input.rows // segments
        for k in range(s.workspace.n * segments if dx != NULL else 0):
            put_rows(dx + k * rows * input_row(s, i), <const real *> s.dy + k * step + place, rows, input.width,
                     input_row(s, i), s.y_row, written[s.operation.inputs[i]])
        if dx != NULL:
            written[s.operation.inputs[i]] = True
        place += input.width if by_columns else rows * s.y_row


# Products of rows.

cdef inline bint dot_fits(const Sizes *s) noexcept nogil:
    cdef const Buffer *other
    if s.operation.n_inputs != 2:
        return False
    other = &s.plan.buffers[s.operation.inputs[1]]
    return s.input.rows == s.output.rows and other.rows == s.output.width and s.input.width == other.width


cdef inline void dot_forward(const Step *s, real **tensors) noexcept nogil:
    """y[i, j] = u[i] . v[j] for the rows u of the first input and v of the second, sample by sample"""
    cdef Py_ssize_t n_u = s.input.rows, n_v = input_of(s, 1).rows, sample, _i, j, c
    cdef const real *u = <const real *> s.x
    cdef real *y = <real *> s.y
    cdef const real *v
    cdef double total
    for sample in range(s.workspace.n):
        for _i in range(n_u):
            for j in range(n_v):
                v = value_of(s, 1, tensors) + (sample * n_v + j) * input_row(s, 1)
                total = 0
                for c in range(s.input.width):
                    total += <double> u[c] * v[c]
                y[j] = <real> total
            u += s.x_row
            y += s.y_row


cdef inline void dot_input_gradient(const Step *s, int which, real **typed) noexcept nogil:
    """du[i] (+)= sum over j of dy[i, j] v[j]; for the second input dv[j] (+)= sum over i of dy[i, j] u[i]"""
    cdef Py_ssize_t n_own = input_of(s, which).rows, n_other = input_of(s, 1 - which).rows, sample, i, j, c
    cdef const real *dy = <const real *> s.dy
    cdef real *first = cleared_delta_of(s, which, typed)
    cdef const real *v
    cdef real *du
    cdef real d
    for sample in range(s.workspace.n if first != NULL else 0):
        for i in range(n_own):
            du = first + (sample * n_own + i) * input_row(s, which)
            for j in range(n_other):
                v = value_of(s, 1 - which, typed) + (sample * n_other + j) * input_row(s, 1 - which)
                d = (dy[(sample * n_own + i) * s.y_row + j] if which == 0
                     else dy[(sample * n_other + j) * s.y_row + i])
                for c in range(s.input.width):
                    du[c] += d * v[c]


cdef inline void dot_backward(const Step *s, real **tensors, real **gradients) noexcept nogil:
    """Of both inputs, one after the other."""
    dot_input_gradient(s, 0, tensors)
    dot_input_gradient(s, 1, tensors)
